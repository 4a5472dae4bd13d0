"""Huge pages of this process, where Linux has them."""

from __future__ import annotations

import ctypes
import mmap
import platform
import sys
from pathlib import Path

import pytest

_ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def _can_collapse() -> bool:
    """Whether Linux brings memory into huge pages when it is asked to."""
    if sys.platform != "linux" or not _ENABLED.is_file() or "[never]" in _ENABLED.read_text():
        return False
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(minor)) >= (6, 1)


needs_huge_pages = pytest.mark.skipif(not _can_collapse(), reason="Linux has no huge pages here")


def count_huge_bytes(address: int) -> int:
    """Return the bytes in huge pages of the mapping that an address lies in."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            start, stop = (int(each, 16) for each in name.split("-"))
            inside = start <= address < stop
        elif inside and name == "AnonHugePages:":
            return int(values[0]) << 10
    return 0


def has_huge_pages_left(count: int) -> bool:
    """Whether Linux has huge pages to give just now; where memory is scarce it may have none."""
    size = 2 << 20
    with mmap.mmap(-1, (count + 1) * size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.write(bytes(len(memory)))
        byte = ctypes.c_char.from_buffer(memory)
        address = ctypes.addressof(byte)
        first = ctypes.c_void_p(-(-address // size) * size)
        done = ctypes.CDLL(None).madvise(first, ctypes.c_size_t(count * size), 25)
        del byte
    return bool(done == 0)
