"""The frames of a video of a request, sampled as in the reference.

FFmpeg's parsers are large, and written in C: a file of a kilobyte can make them allocate
gigabytes. So they run in a process of their own, `video_decoder`, which is bounded in time and
memory and may open nothing; whatever happens to it, the request alone fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO
from threading import BoundedSemaphore

from PIL import Image

from ..errors import RequestError

# FFmpeg's names, and those that people know.
CONTAINERS = {
    "mov": "MP4",
    "matroska": "WebM",
    "avi": "AVI",
    "mpegts": "MPEG-TS",
    "gif": "GIF",
}
MAX_SECONDS = 30
MAX_DECODERS = 2
# The exit status of a decoder that says on standard error what is wrong with the video.
REFUSED = 3
# Degrees counterclockwise.
_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}

_decoders = BoundedSemaphore(MAX_DECODERS)
_DECODER = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from xinference_internvl2.media.video_decoder import main
main(sys.argv[2], int(sys.argv[3]))
"""


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video of a request whose header has been read; its frames are decoded when asked for.

    `where` is the part of the request it came from, for messages; `width` and `height` are the
    pixels of a frame as it is stored, before a rotation that the container asks for.
    """

    data: bytes
    where: str
    width: int
    height: int

    def frames(self, count: int) -> list[Image.Image]:
        """`count` RGB images in the order of the video, spread over it as in the reference; a
        video of fewer frames repeats some. They are of one size, and turned as the container
        asks, as by the reference's decoder.

        Raises:
            RequestError: the video is broken, or takes more than MAX_SECONDS to decode.
        """
        answer = _ask_decoder(self.data, self.where, count)
        places = json.loads(answer.readline())
        images = {}
        while line := answer.readline():
            place, rotation, row, size = json.loads(line)
            pixels = answer.read(size)
            image = Image.frombytes("RGB", (self.width, self.height), pixels, "raw", "RGB", row)
            images[place] = image.transpose(_TURNS[rotation]) if rotation in _TURNS else image
        return [images[place] for place in places]


def open_video(data: bytes, where: str) -> VideoFile:
    """Read the header of a video file.

    Raises:
        RequestError: the decoder does not read such files, or the frames have too many pixels.
    """
    width, height = json.loads(_ask_decoder(data, where, 0).readline())
    return VideoFile(data, where, width, height)


def _ask_decoder(data: bytes, where: str, count: int) -> BytesIO:
    """What `video_decoder.main` writes about `data`."""
    command = [sys.executable, "-c", _DECODER, json.dumps(sys.path), where, str(count)]
    with _decoders:
        try:
            done = subprocess.run(command, input=data, capture_output=True, timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            raise RequestError(
                f"{where} takes over {MAX_SECONDS} s to decode; send a shorter or smaller video"
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
    return RequestError(
        f"{where} is not a video that can be read; send a file in one of the formats "
        f"{', '.join(CONTAINERS.values())}"
    )


def frame_indices(total: int, count: int) -> list[int]:
    """Which `count` of `total` frames the reference looks at.

    Source: `get_index` of the model cards published with InternVL2, for a whole video.
    """
    step = (total - 1) / count
    # `round` is to even, as numpy's is.
    return [int(step / 2 + round(step * index)) for index in range(count)]
