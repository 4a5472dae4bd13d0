"""Which packets of a video are decoded for some of its frames."""

from __future__ import annotations

import pytest

from tests.unit.media.test_video_file import number, video
from xinference_internvl2.media.video_decoder import _to_image, open_stream
from xinference_internvl2.media.video_packets import read_index, sample_frames

FRAMES = 30
FILM = video(FRAMES, g="10", bf="0")
"""With a keyframe every ten frames."""


def test_a_frame_starts_at_the_keyframe_before_it() -> None:
    with open_stream(FILM, "it") as stream:
        index = read_index(stream)
    assert index.places == [*range(FRAMES)]
    assert index.starts == [place // 10 * 10 for place in range(FRAMES)]
    assert index.sequential().starts == [0] * FRAMES


@pytest.mark.parametrize("places", [[0], [9, 10, 11], [5, 15, 25], [FRAMES - 1]])
def test_frames_are_found_by_their_places(places: list[int]) -> None:
    with open_stream(FILM, "it") as stream:
        index = read_index(stream)
    with open_stream(FILM, "it") as stream:
        found = [
            (place, number(_to_image(frame, (160, 64))))
            for place, frame in sample_frames(stream, index, places)
        ]
    assert found == [(place, place) for place in places]
