"""A video file of a request: its header is read first, the tiles of its frames late.

FFmpeg's parsers are large, and written in C: a file of a kilobyte can make them allocate
gigabytes. So they run in a process of their own, `video_decoder`, which is bounded in time and
memory and may open nothing; whatever happens to it, the request alone fails.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RequestError
from .decoder_pool import LEAN
from .fair_semaphore import FairSemaphore
from .limits import (
    BYTES_PER_FRAME_PIXEL,
    MAX_VIDEO_DECODERS,
    MAX_VIDEO_MEMORY,
    MAX_VIDEO_SECONDS,
)
from .tiles import Tiling

# FFmpeg's names, and those that people know.
CONTAINERS = {
    "mov": "MP4",
    "matroska": "WebM",
    "avi": "AVI",
    "mpegts": "MPEG-TS",
    "gif": "GIF",
}
# The exit status of a decoder that says on standard error what is wrong with the video.
REFUSED = 3

# A request has one video decoded at a time, and then stands in line again. Headers have places of
# their own, and never wait for frames.
_for_headers, _for_frames = FairSemaphore(MAX_VIDEO_DECODERS), FairSemaphore(MAX_VIDEO_DECODERS)
_DECODER = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from xinference_internvl2.media.video_decoder import main
main(sys.argv[2], json.loads(sys.argv[3]))
"""


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video of a request whose header has been read.

    Attributes:
        where: the part of the request it came from, for messages.
        width, height: pixels of a frame, turned as the container asks.
        seconds: its duration.
    """

    data: bytes
    where: str
    width: int
    height: int
    seconds: float

    @property
    def memory(self) -> int:
        """Bytes that its decoder may take."""
        return min(self.width * self.height * BYTES_PER_FRAME_PIXEL, MAX_VIDEO_MEMORY)

    def cut(
        self, count: int, tiling: Tiling, start: float | None = None, end: float | None = None
    ) -> list[NDArray[np.uint8]]:
        """Decode `count` frames and return the tiles of each: (tiles, 3, image_size, image_size).

        The frames are in the order of the video, spread over it, or from second `start` to second
        `end`, as in the reference, and turned as the container asks, as by the reference's decoder;
        a video of fewer frames repeats some.

        Raises:
            RequestError: the video is broken, or takes more than MAX_VIDEO_SECONDS to decode.
        """
        question = {"count": count, "tiling": asdict(tiling), "start": start, "end": end}
        answer = _ask_decoder(self.data, self.where, question)
        places = json.loads(answer.readline())
        found = {}
        while line := answer.readline():
            place, *shape = json.loads(line)
            pixels = answer.read(math.prod(shape))
            found[place] = np.frombuffer(pixels, np.uint8).reshape(shape)
        return [found[place] for place in places]


def open_video(data: bytes, where: str) -> VideoFile:
    """Read the header of a video file.

    Raises:
        RequestError: the decoder does not read such files, or the frames have too many pixels.
    """
    return VideoFile(data, where, *json.loads(_ask_decoder(data, where, None).readline()))


def _ask_decoder(data: bytes, where: str, question: dict[str, Any] | None) -> BytesIO:
    """Return what `video_decoder.main` writes about `data`."""
    code, path, asked = _DECODER, json.dumps(sys.path), json.dumps(question)
    command = [sys.executable, "-c", code, path, where, asked]
    environment = {**os.environ, **LEAN}
    with _for_frames if question else _for_headers:
        try:
            done = subprocess.run(
                command,
                input=data,
                capture_output=True,
                timeout=MAX_VIDEO_SECONDS,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            raise RequestError(
                f"{where} takes over {MAX_VIDEO_SECONDS} s to decode; "
                "send a shorter or smaller video"
            ) from None
    if done.returncode == REFUSED:
        raise RequestError(done.stderr.decode())
    if done.returncode > 0:
        raise RuntimeError(f"the video decoder failed: {done.stderr.decode(errors='replace')}")
    if done.returncode < 0:
        # A signal: the decoder crashed, or took too much.
        raise unreadable(where)
    return BytesIO(done.stdout)


def unreadable(where: str) -> RequestError:
    """Return what is said of a video that cannot be decoded."""
    return RequestError(
        f"{where} is not a video that can be read; send a file in one of the formats "
        f"{', '.join(CONTAINERS.values())}"
    )


def frame_indices(
    total: int,
    count: int,
    rate: float = 0,
    start: float | None = None,
    end: float | None = None,
) -> list[int]:
    """Return which `count` of `total` frames the reference looks at.

    Args:
        rate: frames a second; needed where there is a `start` or an `end`, in seconds.

    Source: `get_index` of the model cards published with InternVL2.
    """
    first = 0 if start is None else max(round(start * rate), 0)
    last = total - 1 if end is None else min(round(end * rate), total - 1)
    step = (last - first) / count
    # `round` is to even, as numpy's is.
    return [int(first + step / 2 + round(step * index)) for index in range(count)]
