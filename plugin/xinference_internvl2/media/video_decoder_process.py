"""The processes that decode videos: one for each header, and one for the frames of each video.

FFmpeg's parsers are large and written in C: a file of a kilobyte can make them allocate gigabytes.
So they run in a process of their own, `video_decoder`, which is bounded in time and memory and can
open nothing. Whatever happens to it, only the request fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO
from typing import Any

from ..errors import RequestError
from .accepted_videos import unreadable_error
from .fair_semaphore import FairSemaphore
from .limits import MAX_VIDEO_DECODERS, MAX_VIDEO_SECONDS
from .sandbox import DECODER_ENVIRONMENT

# The exit status of a decoder that has written to standard error why the video is refused.
EXIT_REFUSED = 3

# A request has one video decoded at a time, and then queues again. Headers never wait for frames.
_header_slots, _frame_slots = FairSemaphore(MAX_VIDEO_DECODERS), FairSemaphore(MAX_VIDEO_DECODERS)
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from xinference_internvl2.media.video_decoder import main
main(sys.argv[2], json.loads(sys.argv[3]))
"""


def run_decoder(data: bytes, where: str, question: dict[str, Any] | None) -> BytesIO:
    """Return what `video_decoder.main` writes about the video `data`.

    Raises:
        RequestError: the video is refused, crashes its decoder, or takes too much time or memory.
    """
    path, asked = json.dumps(sys.path), json.dumps(question)
    command = [sys.executable, "-c", _CODE, path, where, asked]
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
