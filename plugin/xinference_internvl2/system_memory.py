"""The memory of this machine, or of the container in which the process runs."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

_CGROUP = Path("/sys/fs/cgroup")


class MachineMemory(NamedTuple):
    """Bytes of memory: all, and those that are free."""

    total: int
    free: int


def memory() -> MachineMemory:
    """Return the memory of the machine, or of its container where that has less."""
    found = psutil.virtual_memory()
    total, free = int(found.total), int(found.available)
    # Only Linux has these files, and a container without a limit says "max".
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text()) - _read_page_cache()
        total, free = min(total, limit), min(free, max(limit - used, 0))
    return MachineMemory(total, free)


def _read_page_cache() -> int:
    """Return the bytes of the page cache that the kernel drops when a process needs memory."""
    with suppress(OSError, ValueError):
        for line in (_CGROUP / "memory.stat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "inactive_file":
                return int(count)
    return 0


def trim() -> None:
    """Have glibc return free memory to the system; other C libraries have no such call."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
