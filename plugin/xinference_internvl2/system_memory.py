"""The memory of this machine, or of the container in which the process runs."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

_CGROUP = Path("/sys/fs/cgroup")


class _CgroupFiles(NamedTuple):
    """Where the kernel tells what a container may take, and the field of its page cache."""

    limit: str
    used: str
    stat: str
    cache: str


_VERSIONS = (
    _CgroupFiles("memory.max", "memory.current", "memory.stat", "inactive_file"),
    _CgroupFiles(
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


class MachineMemory(NamedTuple):
    """Bytes of memory: all, and those that are free."""

    total: int
    free: int


def memory() -> MachineMemory:
    """Return the memory of the machine, or of its container where that has less."""
    found = psutil.virtual_memory()
    total, free = int(found.total), int(found.available)
    for files in _VERSIONS:
        # Only Linux has them, of one version; a container without a limit says "max", or a number
        # beyond all memory.
        with suppress(OSError, ValueError):
            limit = int((_CGROUP / files.limit).read_text())
            used = int((_CGROUP / files.used).read_text()) - _read_page_cache(files)
            total, free = min(total, limit), min(free, max(limit - used, 0))
    return MachineMemory(total, free)


def _read_page_cache(files: _CgroupFiles) -> int:
    """Return the bytes of the page cache that the kernel drops when a process needs memory."""
    with suppress(OSError, ValueError):
        for line in (_CGROUP / files.stat).read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == files.cache:
                return int(count)
    return 0


def trim() -> None:
    """Have glibc return free memory to the system; other C libraries have no such call."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
