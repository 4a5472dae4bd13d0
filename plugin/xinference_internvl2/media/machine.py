"""The memory of the machine: how much there is for media, and what is free given back."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

LEAST_MEMORY, MOST_MEMORY = 512 << 20, 8 << 30


def default_memory() -> int:
    """Return an eighth of the memory of the machine, or of the container: bytes, in whole MB and
    within bounds."""
    import psutil

    total = psutil.virtual_memory().total
    # In a container that has no limit it says "max".
    with suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    megabytes = min(max(total // 8, LEAST_MEMORY), MOST_MEMORY) >> 20
    return int(megabytes << 20)


def trim() -> None:
    """Let the C library give memory that is free back to the system, where it is glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
