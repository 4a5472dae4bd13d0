"""The cards that a launch would have: those that NVIDIA's tool lists and CUDA shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xinference_internvl2.doctor.devices import Device, find_devices

CARDS = """#!/bin/sh
echo 'GPU-aa11, NVIDIA X, 24564, 24000'
echo 'GPU-aa22, NVIDIA Y, 81559, 81000'
echo 'GPU-bb33, Shared, [N/A], [N/A]'
"""
X, Y = (
    Device("gpu", "NVIDIA X", 24564 << 20, 24000 << 20),
    Device("gpu", "NVIDIA Y", 81559 << 20, 81000 << 20),
)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "nvidia-smi"
    file.write_text(CARDS)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return file


def test_cards_as_their_tool_lists_them(tool: Path) -> None:
    assert find_devices() == [X, Y]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert [device.kind for device in find_devices()] == ["cpu"]


@pytest.mark.usefixtures("tool")
@pytest.mark.parametrize(
    ("visible", "found"),
    [
        ("0", [X]),
        ("1,0", [Y, X]),
        (" 1 , 0 ", [Y, X]),
        ("GPU-aa22", [Y]),
        ("GPU-aa2,0", [Y, X]),
        ("1,-1,0", [Y]),
        ("1,3,0", [Y]),
        ("1,2", [Y]),
    ],
)
def test_cards_that_are_hidden_from_cuda_do_not_count(
    visible: str, found: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert find_devices() == found


@pytest.mark.usefixtures("tool")
@pytest.mark.parametrize("visible", ["", "-1", "3", "NoDevFiles", "0,0", "GPU-", "GPU-aa", "MIG-1"])
def test_without_a_visible_card_the_machine_has_its_cpu(
    visible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [device.kind for device in find_devices()] == ["cpu"]
