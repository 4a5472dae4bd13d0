"""Finds the devices of this machine and their free memory, without torch."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Literal

from ..system_memory import memory

_MIB = 1 << 20
_QUERY = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or the CPU with the memory of the machine; sizes are in bytes."""

    kind: Literal["gpu", "cpu"]
    name: str
    total: int
    free: int


def find_devices() -> list[Device]:
    """Return the GPUs or, where there is none, the memory of the machine."""
    return _find_gpus() or [Device("cpu", "CPU", *memory())]


def _find_gpus() -> list[Device]:
    try:
        done = subprocess.run(
            ["nvidia-smi", *_QUERY], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [found for line in done.stdout.splitlines() if (found := _parse_gpu(line))]


def _parse_gpu(line: str) -> Device | None:
    name, total, free = (cell.strip() for cell in line.rsplit(",", 2))
    if not (total.isdecimal() and free.isdecimal()):
        return None  # a card that is split, or that has no memory of its own
    return Device("gpu", name, int(total) * _MIB, int(free) * _MIB)
