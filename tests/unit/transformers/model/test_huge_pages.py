"""Whole huge pages of a process's memory are used, and nothing beside them."""

from __future__ import annotations

import ctypes
import mmap

import pytest

from tests.support.huge_pages import count_huge_bytes, has_huge_pages_left, needs_huge_pages
from xinference_internvl2.transformers.model.huge_pages import HUGE_PAGE, use_huge_pages


@pytest.mark.parametrize(
    ("before", "size", "huge"),
    [
        (0, HUGE_PAGE, 1),
        (0, HUGE_PAGE - 1, 0),
        (1, HUGE_PAGE, 0),
        (1, 2 * HUGE_PAGE - 2, 0),
        (1, 2 * HUGE_PAGE - 1, 1),
        (4096, 3 * HUGE_PAGE, 2),
        (0, 0, 0),
    ],
)
@needs_huge_pages
def test_whole_huge_pages_are_used_and_keep_what_is_in_them(
    before: int, size: int, huge: int
) -> None:
    with mmap.mmap(-1, 5 * HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        written = bytes(range(256)) * (len(memory) // 256)
        memory[:] = written
        first = ctypes.c_char.from_buffer(memory)
        start = -(-ctypes.addressof(first) // HUGE_PAGE) * HUGE_PAGE
        others = count_huge_bytes(start)
        if not has_huge_pages_left(2):
            pytest.skip("Linux has no huge pages left")
        use_huge_pages(start + before, size)
        assert count_huge_bytes(start) - others == huge * HUGE_PAGE
        assert memory[:] == written
        del first
