"""What decoding may take: as much as its pixels ask for, and never more than a decoder has."""

from __future__ import annotations

import pytest

from xinference_internvl2.media.decoder_memory import estimate_image_memory, estimate_video_memory


@pytest.mark.parametrize(
    ("width", "height", "found"),
    [(10, 10, 1600), (8192, 8192, 1 << 30), (8192, 8193, 1 << 30)],
)
def test_an_image(width: int, height: int, found: int) -> None:
    assert estimate_image_memory(width, height) == found


@pytest.mark.parametrize(
    ("width", "height", "found"),
    [(10, 10, 4000), (8192, 6553, 8192 * 6553 * 40), (8192, 6554, 2 << 30)],
)
def test_a_video(width: int, height: int, found: int) -> None:
    assert estimate_video_memory(width, height) == found
