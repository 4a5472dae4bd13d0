"""What the process that decodes videos writes, without the process."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from tests.unit.media.test_bounds import save
from tests.unit.media.test_video_file import number, video
from xinference_internvl2.errors import RequestError
from xinference_internvl2.media import video_decoder
from xinference_internvl2.media.tiles import Tiling

TILING = Tiling(64, 1, 1, False)


def film(streams: int, size: tuple[int, int] = (64, 64)) -> bytes:
    """A file of one frame in each of its streams."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        for _ in range(streams):
            stream = output.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
        for stream in output.streams.video:
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """What is written on standard output."""
    out = io.BytesIO()
    stdout = SimpleNamespace(buffer=out)  # pytest takes the real one for itself
    monkeypatch.setattr(video_decoder, "sys", SimpleNamespace(stdout=stdout))
    return out


def test_the_size_and_the_seconds(written: io.BytesIO) -> None:
    video_decoder._write_header(video(15), "it")
    assert json.loads(written.getvalue()) == [160, 64, 0.5]


def test_the_places_and_the_tiles_of_frames(written: io.BytesIO) -> None:
    video_decoder._write_frames(video(12), "it", 3, TILING, None, None)
    written.seek(0)
    places = json.loads(written.readline())
    assert places == [1, 5, 8]
    for place in places:
        assert json.loads(written.readline()) == [place, 1, 3, 64, 64]
        tiles = np.frombuffer(written.read(3 * 64 * 64), np.uint8)
        assert tiles.any()
    assert not written.read()


@pytest.mark.parametrize(
    ("start", "end", "fine"),
    [(0.3, None, True), (0.4, None, False), (0.2, 0.3, True), (0.2, 0.2, False)],
)
def test_from_and_to_a_second(
    start: float, end: float | None, fine: bool, written: io.BytesIO
) -> None:
    question: Any = (video(12), "it", 1, TILING, start, end)
    if fine:
        video_decoder._write_frames(*question)
        assert written.getvalue()
    else:
        with pytest.raises(RequestError, match=r"there is no frame in a video of 0\.4 s"):
            video_decoder._write_frames(*question)


def test_a_frame_in_its_own_colours() -> None:
    with video_decoder.open_stream(video(6), "it") as stream:
        frames = [video_decoder._to_image(f, (160, 64)) for f in stream.container.decode(stream)]
    assert [number(frame) for frame in frames] == [*range(6)]


def test_what_is_no_video() -> None:
    for data in (save((8, 8)), b"", film(1)[:40]):
        with pytest.raises(RequestError, match=r"^it "), video_decoder.open_stream(data, "it"):
            pass


@pytest.mark.parametrize("size", [(1, 8), (8, 1), (1, 1)])
def test_a_frame_may_be_one_pixel_wide_or_high(size: tuple[int, int], written: io.BytesIO) -> None:
    film = video(2, "gif", "gif", size=size, pixels="gray")
    video_decoder._write_header(film, "it")
    assert json.loads(written.getvalue())[:2] == [*size]


def test_nothing_that_a_container_refers_to_is_opened() -> None:
    with pytest.raises(PermissionError, match="file:///etc/passwd"):
        video_decoder._refuse("file:///etc/passwd", 0, {})


def test_the_number_of_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_decoder, "MAX_STREAMS", 2)
    with video_decoder.open_stream(film(2), "it") as stream:
        assert stream.codec_context.width == 64
    with pytest.raises(RequestError, match=r"^it "), video_decoder.open_stream(film(3), "it"):
        pass
