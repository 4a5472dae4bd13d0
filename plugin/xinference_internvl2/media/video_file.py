"""A video file of a request: its header is read at first, its frames are decoded later.

FFmpeg's parsers are large and written in C: a file of a kilobyte can make them allocate gigabytes.
So they run in a process of their own, `video_decoder`, which is bounded in time and memory and can
open nothing. Whatever happens to it, only the request fails.
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
from .accepted_videos import unreadable_error
from .decoder_memory import estimate_video_memory
from .fair_semaphore import FairSemaphore
from .limits import MAX_VIDEO_DECODERS, MAX_VIDEO_SECONDS
from .sandbox import DECODER_ENVIRONMENT
from .tiles import Tiling

# The exit status of a decoder that has written to standard error why the video is refused.
EXIT_REFUSED = 3

# A request has one video decoded at a time, and then queues again. Headers never wait for frames.
_header_slots, _frame_slots = FairSemaphore(MAX_VIDEO_DECODERS), FairSemaphore(MAX_VIDEO_DECODERS)
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
        where: the part of the request that it comes from, for messages.
        width, height: of a frame in pixels, after the rotation that the container asks for.
        seconds: its duration.
    """

    data: bytes
    where: str
    width: int
    height: int
    seconds: float

    @property
    def memory(self) -> int:
        """The bytes that its decoder may take."""
        return estimate_video_memory(self.width, self.height)

    def cut(
        self, count: int, tiling: Tiling, start: float | None = None, end: float | None = None
    ) -> list[NDArray[np.uint8]]:
        """Decode `count` frames and return the tiles of each: (tiles, 3, image_size, image_size).

        The frames are spread evenly from second `start` to second `end`, by default over the whole
        video, and rotated as the container asks, both as in the published code. A video of fewer
        frames repeats some.

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
        RequestError: the file is no video that can be read, or its frames have too many pixels.
    """
    return VideoFile(data, where, *json.loads(_ask_decoder(data, where, None).readline()))


def _ask_decoder(data: bytes, where: str, question: dict[str, Any] | None) -> BytesIO:
    """Run `video_decoder.main` on `data` and return what it writes; errors as for its callers."""
    code, path, asked = _DECODER, json.dumps(sys.path), json.dumps(question)
    command = [sys.executable, "-c", code, path, where, asked]
    environment = {**os.environ, **DECODER_ENVIRONMENT}
    with _frame_slots if question else _header_slots:
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
    if done.returncode == EXIT_REFUSED:
        raise RequestError(done.stderr.decode())
    if done.returncode > 0:
        raise RuntimeError(f"the video decoder failed: {done.stderr.decode(errors='replace')}")
    if done.returncode < 0:
        # A signal: the decoder crashed, or took too much.
        raise unreadable_error(where)
    return BytesIO(done.stdout)
