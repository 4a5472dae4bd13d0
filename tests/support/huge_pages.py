"""Huge pages of this process, where Linux has them."""

from __future__ import annotations

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
