"""The packages to install: extras, virtual environments of Xinference and pages name the same."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from generator.outputs.engines_page import _PACKAGES

from .environment import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SPECS = sorted((REPOSITORY / "family_specs").glob("*.yaml"))
OURS = re.compile(r"xinference-internvl2\[([a-z,]+)\]")
# What an environment takes of the server's, and what transformers brings itself.
FROM_ELSEWHERE = {"torch", "torchvision", "safetensors"}


@pytest.fixture(scope="module")
def extras() -> dict[str, list[str]]:
    project: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    found: dict[str, list[str]] = project["project"]["optional-dependencies"]
    return found


def read_virtualenv(spec: Path, engine: str) -> dict[str, str]:
    """Package → versions of the virtual environment that an engine gets."""
    found = {}
    for line in yaml.safe_load(spec.read_text("utf-8"))["virtualenv"]["packages"]:
        package, _, condition = (part.strip() for part in line.partition(";"))
        if package.startswith("#") or "none" in condition:
            continue
        if "#engine#" not in condition or f'"{engine}"' in condition:
            requirement = Requirement(package)
            found[requirement.name] = str(requirement.specifier)
    return found


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
@pytest.mark.parametrize("engine", ["Transformers", "vllm"])
def test_virtual_environments_get_what_the_extra_of_the_engine_does(
    spec: Path, engine: str, extras: dict[str, list[str]]
) -> None:
    listed = map(Requirement, extras[engine.lower()])
    wanted = {each.name: str(each.specifier) for each in listed}
    assert read_virtualenv(spec, engine) == {
        name: versions for name, versions in wanted.items() if name not in FROM_ELSEWHERE
    }


def test_every_extra_that_is_named_anywhere_exists(extras: dict[str, list[str]]) -> None:
    named: dict[str, str] = {}
    for folder, suffixes in {
        ".": ("md",),
        "docs": ("rst", "py"),
        "plugin": ("py",),
        "generator": ("py", "jinja"),
    }.items():
        for suffix in suffixes:
            pattern = f"*.{suffix}" if folder == "." else f"**/*.{suffix}"
            for path in (REPOSITORY / folder).glob(pattern):
                for names in OURS.findall(path.read_text("utf-8")):
                    named |= dict.fromkeys(names.split(","), str(path))
    assert named.keys() >= {"transformers", "vllm", "awq"}
    assert {name: path for name, path in named.items() if name not in extras} == {}


@pytest.mark.parametrize(("kind", "text"), _PACKAGES.items(), ids=str)
def test_the_page_of_engines_names_all_that_a_quantization_needs(
    kind: tuple[str, str], text: str, extras: dict[str, list[str]]
) -> None:
    engine, quantizer = kind
    names = {name for found in OURS.findall(text) for name in found.split(",")}
    got = {Requirement(line).name for name in names for line in extras[name]}
    got |= set(re.findall(r"and ``([a-z]+)``", text))
    assert engine.lower() in got
    # vLLM computes AWQ itself.
    library = {"bitsandbytes": "bitsandbytes", "awq": "gptqmodel" if engine != "vLLM" else None}
    assert library.get(quantizer) is None or library[quantizer] in got
