"""One environment with the wheel, and one process per question, for the whole session."""

from __future__ import annotations

import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from . import environment
from .environment import REPOSITORY, Environment

RECORD = REPOSITORY / "plugin/xinference_internvl2/families/internvl2.json"
EXTENSION = {"XINFERENCE_EXTENSIONS": "xinference_internvl2.host.extension_factory:create"}
OFF = {"XINFERENCE_INTERNVL2_AUTOLOAD": "0"}


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and the host."""
    made = environment.create(tmp_path_factory.mktemp("installed") / "venv")
    environment.show_packages_of_this_environment(made)
    environment.install(made, wheel)
    return made


@pytest.fixture(scope="session")
def _both(
    installed: Environment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    homes = [tmp_path_factory.mktemp("home") for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        off = pool.submit(installed.probe, "known", homes[0], OFF)
        on = pool.submit(installed.probe, "known", homes[1])
        return off.result(), on.result()


@pytest.fixture(scope="session")
def without(_both: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """What the host knows without the plugin."""
    return _both[0]


@pytest.fixture(scope="session")
def with_plugin(_both: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """What the host knows with the plugin."""
    return _both[1]


@pytest.fixture(scope="session")
def refreshed(installed: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the host knows after refreshes, with custom models of our family."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "model/v2/llm"
    folder.mkdir(parents=True)
    for family in (
        custom_family("my-internvl2", home, "pytorch", "none"),
        custom_family("my-gptq", home, "gptq", "Int4"),
    ):
        (folder / f"{family['model_name']}.json").write_text(json.dumps(family))
    return installed.probe("refreshed", home, {"RECORD": str(RECORD)})


@pytest.fixture(scope="session")
def names_in(wheel: Path) -> list[str]:
    """The files of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def custom_family(name: str, path: Path, model_format: str, quantization: str) -> dict[str, Any]:
    """A registration as users write it for a checkpoint of their own."""
    spec = {
        "model_format": model_format,
        "model_size_in_billions": 3,
        "quantization": quantization,
    }
    return {
        "version": 2,
        "model_name": name,
        "model_family": "internvl2",
        "context_length": 8192,
        "model_lang": ["en"],
        "model_ability": ["chat", "vision"],
        "model_specs": [{**spec, "model_id": None, "model_uri": path.as_uri()}],
    }
