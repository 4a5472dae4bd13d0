"""Finds the devices that a launch from here would have, and their free memory, without torch.

torch takes seconds to import, and may be what is not installed. The cards are those that NVIDIA's
own tool lists, as far as CUDA_VISIBLE_DEVICES shows them to a process.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..system_memory import memory

_MIB = 1 << 20
_QUERY = ("--query-gpu=uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits")


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
    lines = [line.partition(",") for line in done.stdout.splitlines()]
    places = _list_visible([uuid for uuid, _, _ in lines], os.environ.get("CUDA_VISIBLE_DEVICES"))
    return [found for place in places if (found := _parse_gpu(lines[place][2]))]


def _list_visible(uuids: Sequence[str], visible: str | None) -> Sequence[int]:
    """Return the places of the cards that CUDA shows to a process, in its order.

    CUDA knows a card by its number or by the beginning of its UUID, stops at the first entry that
    is neither, and shows none if one is named twice.

    Args:
        visible: CUDA_VISIBLE_DEVICES; None shows all.
    """
    if visible is None:
        return range(len(uuids))
    places: list[int] = []
    for entry in map(str.strip, visible.split(",")):
        named = [n for n, uuid in enumerate(uuids) if entry == str(n) or _begins(uuid, entry)]
        if len(named) != 1:
            break
        places += named
    return places if len({*places}) == len(places) else []


def _begins(uuid: str, entry: str) -> bool:
    return entry.startswith("GPU-") and uuid.startswith(entry)


def _parse_gpu(cells: str) -> Device | None:
    name, total, free = (cell.strip() for cell in cells.rsplit(",", 2))
    if not (total.isdecimal() and free.isdecimal()):
        return None  # a card that is split, or that has no memory of its own
    return Device("gpu", name, int(total) * _MIB, int(free) * _MIB)
