"""Decoding of videos that nobody vouches for, in a process of its own (see `video`).

PyAV decodes: it is maintained, its wheels carry FFmpeg for every platform, and it hands out single
packets; decord, which the reference uses, had its last release in 2021. FFmpeg sees nothing but
the bytes: what a container refers to is never opened, and only the containers and codecs named
here are read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any, NoReturn

import av
import av.audio.stream
import av.stream
import av.subtitles.stream
from av.video.stream import VideoStream

from ..errors import RequestError
from .video import CONTAINERS, REFUSED, frame_indices, unreadable
from .video_packets import read_index, sampled

DECODERS = {
    "h264": "H.264",
    "hevc": "H.265",
    "libdav1d": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg4": "MPEG-4",
    "mpeg2video": "MPEG-2",
    "mpeg1video": "MPEG-1",
    "mjpeg": "Motion JPEG",
    "gif": "GIF",
}
MAX_PIXELS = 8192 * 4320
MAX_STREAMS = 32
MAX_MEMORY = 2 << 30
MAX_CPU_SECONDS = 60
THREADS = 2


def main(where: str, count: int) -> None:
    """Answer about the video on standard input: the size of its frames if `count` is 0, otherwise
    the places of `count` frames, and for each place a line with it, the counterclockwise rotation
    in degrees, bytes a row and bytes, and then the bytes: rows of RGB pixels."""
    data = sys.stdin.buffer.read()
    _confine()
    try:
        if count:
            _write_frames(data, where, count)
        else:
            with opened(data, where) as stream:
                _write([stream.codec_context.width, stream.codec_context.height])
    except RequestError as error:
        sys.stderr.write(str(error))
        sys.exit(REFUSED)


def _confine() -> None:
    """From here on this process can open neither a file nor a socket, nor take all memory.

    So what PyAV imports only when it is needed is imported above.
    """
    # There is no such module on Windows, and not every limit on macOS.
    with suppress(ImportError):
        import resource

        limits = {
            resource.RLIMIT_NOFILE: 0,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_AS: MAX_MEMORY,
            resource.RLIMIT_CPU: MAX_CPU_SECONDS,
        }
        for name, limit in limits.items():
            with suppress(ValueError, OSError):
                resource.setrlimit(name, (limit, limit))


def _write_frames(data: bytes, where: str, count: int) -> None:
    with opened(data, where) as stream:
        size = stream.codec_context.width, stream.codec_context.height
        index = read_index(stream)
    if not index.starts:
        raise unreadable(where)
    places = frame_indices(len(index.starts), count)
    _write(places)
    missing = set(places)
    for attempt in (index, index.sequential()):
        with opened(data, where) as stream:
            for place, frame in sampled(stream, attempt, sorted(missing)):
                pixels = frame.reformat(*size, format="rgb24").planes[0]
                _write([place, frame.rotation % 360, pixels.line_size, pixels.buffer_size])
                sys.stdout.buffer.write(pixels)
                missing.discard(place)
        # If some are, the decoder cannot start at every keyframe, as with intra refresh.
        if not missing:
            return
    raise unreadable(where)


def _write(line: list[int]) -> None:
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")


@contextmanager
def opened(data: bytes, where: str) -> Iterator[VideoStream]:
    """The video stream of a file, ready to decode."""
    options = {
        "format_whitelist": ",".join(CONTAINERS),
        "codec_whitelist": ",".join(DECODERS),
        "max_streams": str(MAX_STREAMS),
    }
    # Decoders and demuxers of broken files raise whatever they run into.
    try:
        with av.open(
            BytesIO(data),
            mode="r",
            container_options=options,
            metadata_errors="ignore",
            io_open=_refuse,
        ) as container:
            stream = container.streams.best("video")
            _check(stream, where)
            codec = stream.codec_context
            codec.thread_count, codec.thread_type = THREADS, "AUTO"
            codec.options = {"max_pixels": str(MAX_PIXELS)}
            codec.open(strict=False)
            yield stream
    except RequestError:
        raise
    except Exception:
        raise unreadable(where) from None


def _refuse(url: str, *_: Any) -> NoReturn:
    """What FFmpeg calls to open something that a container refers to."""
    raise PermissionError(url)


def _check(stream: Any, where: str) -> None:
    cover = av.stream.Disposition.attached_pic
    if stream is None or stream.disposition & cover:
        raise RequestError(f"{where} has no video stream; send a video")
    codec = stream.codec_context
    if codec is None or codec.name not in DECODERS:
        raise RequestError(
            f"{where} is encoded with {codec.name if codec else 'an unknown codec'}; "
            f"encode it with one of {', '.join(DECODERS.values())}"
        )
    if codec.width < 1 or codec.height < 1:
        raise unreadable(where)
    if codec.width * codec.height > MAX_PIXELS:
        raise RequestError(
            f"{where} has {codec.width}×{codec.height} pixels a frame; "
            f"send a video of at most {MAX_PIXELS:,}"
        )
