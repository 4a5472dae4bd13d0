"""Decodes untrusted videos, in a process of its own (see `video_decoder_process`).

PyAV decodes: it is maintained, its wheels carry FFmpeg for every platform, and it hands out single
packets; decord, which the reference uses, had its last release in 2021. FFmpeg sees nothing but
the bytes: what a container refers to is never opened, and only the containers and codecs of
`accepted_videos` are read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, NoReturn, cast

import av
import av.audio.stream
import av.stream
import av.subtitles.stream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from ..errors import RequestError
from .accepted_videos import WHITELISTS, require_accepted, unreadable_error
from .frame_choice import check_part, frame_indices
from .limits import (
    MAX_FRAME_PIXELS,
    MAX_HEADER_CPU_SECONDS,
    MAX_STREAMS,
    MAX_VIDEO_CPU_SECONDS,
    MAX_VIDEO_MEMORY,
)
from .sandbox import confine
from .tiles import Tiling, cut_tiles
from .video_decoder_process import EXIT_REFUSED
from .video_packets import read_index, sample_frames

THREADS = 2
# Degrees counterclockwise.
_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


def main(where: str, question: dict[str, Any] | None) -> None:
    """Write to standard output what is asked about the video on standard input.

    Without a question that is a line of JSON with the width and height of its frames, and its
    seconds. With one it is a line with the places of `count` frames from `start` to `end`, and for
    each of them a line with its place and the shape of its tiles, followed by the tiles, cut as
    `tiling` says. A frame's place is its index in the order of presentation.
    """
    data = sys.stdin.buffer.read()
    Image.preinit()
    confine(MAX_VIDEO_MEMORY, MAX_VIDEO_CPU_SECONDS if question else MAX_HEADER_CPU_SECONDS)
    try:
        if question:
            question["tiling"] = Tiling(**question["tiling"])
            _write_frames(data, where, **question)
        else:
            _write_header(data, where)
    except RequestError as error:
        sys.stderr.write(str(error))
        sys.exit(EXIT_REFUSED)


def _write_header(data: bytes, where: str) -> None:
    with open_stream(data, where) as stream:
        width, height = stream.codec_context.width, stream.codec_context.height
        rate = _frame_rate(stream)
        index = read_index(stream)
    if not index.starts:
        raise unreadable_error(where)
    with open_stream(data, where) as stream:
        _, frame = next(sample_frames(stream, index.sequential(), [0]))
    if frame.rotation % 180:
        width, height = height, width
    _write_line([width, height, len(index.starts) / rate])


def _write_frames(
    data: bytes, where: str, count: int, tiling: Tiling, start: float | None, end: float | None
) -> None:
    with open_stream(data, where) as stream:
        rate = _frame_rate(stream)
        index = read_index(stream)
    total = len(index.starts)
    if not total:
        raise unreadable_error(where)
    check_part(start, end, total / rate, where)
    places = frame_indices(total, count, rate, start, end)
    _write_line(places)
    missing = set(places)
    for attempt in (index, index.sequential()):
        with open_stream(data, where) as stream:
            size = stream.codec_context.width, stream.codec_context.height
            for place, frame in sample_frames(stream, attempt, sorted(missing)):
                tiles = cut_tiles(_to_image(frame, size), tiling)
                _write_line([place, *tiles.shape])
                sys.stdout.buffer.write(tiles.data)
                missing.discard(place)
        # Some are missing where the decoder cannot start at every keyframe, as with intra refresh.
        if not missing:
            return
    raise unreadable_error(where)


def _frame_rate(stream: VideoStream) -> float:
    """Return the average number of frames a second."""
    return float(stream.average_rate or stream.guessed_rate or 25)


def _to_image(frame: VideoFrame, size: tuple[int, int]) -> Image.Image:
    """Return a frame in RGB, turned as the container asks."""
    image = Image.fromarray(frame.reformat(*size, format="rgb24").to_ndarray())
    turn = _TURNS.get(frame.rotation % 360)
    return image if turn is None else image.transpose(turn)


def _write_line(line: Sequence[float]) -> None:
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")


@contextmanager
def open_stream(data: bytes, where: str) -> Iterator[VideoStream]:
    """Yield the video stream of a file, ready to decode."""
    # Decoders and demuxers of broken files raise any exception.
    try:
        with av.open(
            BytesIO(data),
            mode="r",
            container_options={**WHITELISTS, "max_streams": str(MAX_STREAMS)},
            metadata_errors="ignore",
            io_open=_refuse,
        ) as container:
            stream = require_accepted(_find_video(container), where)
            codec = stream.codec_context
            codec.thread_count, codec.thread_type = THREADS, "AUTO"
            codec.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
            codec.open(strict=False)
            yield stream
    except RequestError:
        raise
    except Exception:
        raise unreadable_error(where) from None


def _find_video(container: InputContainer) -> VideoStream | None:
    """Return the stream that a player shows; the cover of a song is none."""
    stream = container.streams.best("video")
    cover = av.stream.Disposition.attached_pic
    return None if stream is None or stream.disposition & cover else cast(VideoStream, stream)


def _refuse(url: str, *_: Any) -> NoReturn:
    """Refuse to open what a container refers to; FFmpeg calls this for it."""
    raise PermissionError(url)
