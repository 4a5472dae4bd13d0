"""The memory of this machine or, where the process is in a container, of that."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

_CONTAINER = Path("/sys/fs/cgroup")


class Memory(NamedTuple):
    """Bytes that there are, and those that are free."""

    total: int
    free: int


def memory() -> Memory:
    """Return the memory of the machine, or of the container where that is less."""
    found = psutil.virtual_memory()
    total, free = int(found.total), int(found.available)
    # Another system has no such files, and a container without a limit says "max".
    with suppress(OSError, ValueError):
        limit = int((_CONTAINER / "memory.max").read_text())
        used = int((_CONTAINER / "memory.current").read_text()) - _read_cache()
        total, free = min(total, limit), min(free, max(limit - used, 0))
    return Memory(total, free)


def _read_cache() -> int:
    """Return the bytes of files in memory that are given up where a process needs the room."""
    with suppress(OSError, ValueError):
        for line in (_CONTAINER / "memory.stat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "inactive_file":
                return int(count)
    return 0


def trim() -> None:
    """Let the C library give memory that is free back to the system, where it is glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
