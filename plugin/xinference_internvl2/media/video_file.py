"""A video file of a request: its header is read at first, its frames are decoded later."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from .decoder_memory import estimate_video_memory
from .tiles import Tiling
from .video_decoder_process import run_decoder


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
        answer = run_decoder(self.data, self.where, question)
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
    return VideoFile(data, where, *json.loads(run_decoder(data, where, None).readline()))
