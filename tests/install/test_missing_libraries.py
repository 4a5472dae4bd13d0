"""What this machine or this environment lacks is said by the engine query, and by a launch."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from . import environment
from .conftest import EXTENSION, OFF
from .environment import Environment

pytestmark = pytest.mark.host

AWQ = (
    "Transformers computes AWQ weights with gptqmodel, which is not installed; install it with"
    " pip install 'xinference-internvl2[awq]'"
)
BITS = (
    "Transformers computes 4-bit and 8-bit weights with bitsandbytes, which is not installed;"
    " install it with pip install 'xinference-internvl2[transformers]'"
)
KERNEL = "vLLM computes AWQ weights only on a GPU or on a processor with AVX-512"


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and the host, but without the libraries of a quantization."""
    made = environment.create(tmp_path_factory.mktemp("bare") / "venv")
    environment.show_packages_without(made, "gptqmodel", "bitsandbytes", "xinference_internvl2")
    environment.install(made, wheel)
    return made


@pytest.mark.parametrize(
    ("probe", "way"), [("lacking", {}), ("lacking_by_extension", {**EXTENSION, **OFF})]
)
def test_missing_libraries(
    bare: Environment, tmp_path: Path, probe: str, way: dict[str, str]
) -> None:
    """A virtual environment of the host gets bitsandbytes, but nothing of a format."""
    found = bare.probe(probe, tmp_path, way)
    strict = {"Transformers (pytorch 4-bit)": BITS, "Transformers (pytorch 8-bit)": BITS}
    for query, (reasons, quantizations) in zip(
        found["queries"],
        [({}, ["4-bit", "8-bit", "none"]), (strict, ["none"])] * 2,
        strict=True,
    ):
        given = {name: value for name, value in query.items() if name.startswith("Transformers (")}
        assert given == {"Transformers (awq Int4)": AWQ, **reasons}
        rows: list[dict[str, Any]] = query["Transformers"]
        assert {row["model_format"] for row in rows} == {"pytorch"}
        assert all(row["quantizations"] == quantizations for row in rows)
    with_virtual_env, without = found["refused"]
    assert with_virtual_env["Transformers awq 2 Int4"] == AWQ
    assert with_virtual_env.keys() & {"Transformers pytorch 2 4-bit"} == set()
    assert without["Transformers awq 2 Int4"] == AWQ
    assert without["Transformers pytorch 2 4-bit"] == BITS
    assert "Transformers pytorch 2 none" not in without


@pytest.mark.skipif(not importlib.util.find_spec("vllm"), reason="vLLM is not installed")
def test_a_processor_without_the_kernel(installed: Environment, tmp_path: Path) -> None:
    found = installed.probe("lacking", tmp_path, {"WITHOUT_AVX512": "1"})
    for query in found["queries"]:
        [(name, reason)] = [
            (name, x) for name, x in query.items() if isinstance(x, str) and "(" in name
        ]
        assert (name, reason[: len(KERNEL)]) == ("vLLM (awq Int4)", KERNEL)
        assert {row["model_format"] for row in query["vLLM"]} == {"pytorch"}
        assert {row["model_format"] for row in query["Transformers"]} == {"pytorch", "awq"}
    for refused in found["refused"]:
        assert refused.keys() == {"vLLM awq 2 Int4"}
        assert refused["vLLM awq 2 Int4"].startswith(KERNEL)
