"""Which frames of a video are shown; how many, `test_tile_and_frame_options` says."""

from __future__ import annotations

import pytest

from xinference_internvl2.media.frame_choice import frame_indices

# Worked out by hand from the published rule; 49.5 and 0.5 round to even.
INDICES = [
    (1, 8, [0] * 8),
    (3, 8, [0, 0, 0, 1, 1, 1, 2, 2]),
    (8, 8, [0, 1, 2, 3, 4, 4, 5, 6]),
    (100, 8, [6, 18, 31, 43, 56, 68, 80, 93]),
    (100, 1, [49]),
]


@pytest.mark.parametrize(("total", "count", "indices"), INDICES)
def test_indices(total: int, count: int, indices: list[int]) -> None:
    assert frame_indices(total, count) == indices


@pytest.mark.parametrize(("end", "index"), [(8, 8), (9, 9)])
def test_a_part_of_a_video_ends_with_its_last_frame(end: float, index: int) -> None:
    assert frame_indices(10, 1, rate=1, start=end, end=end) == [index]


@pytest.mark.parametrize("count", [1, 3, 10])
def test_a_part_may_be_the_whole_video(count: int) -> None:
    assert frame_indices(10, count, rate=1, start=0, end=9) == frame_indices(10, count)


def test_a_part_that_ends_after_the_video_ends_with_its_last_frame() -> None:
    assert frame_indices(10, 1, rate=1, start=9, end=10) == [9]
