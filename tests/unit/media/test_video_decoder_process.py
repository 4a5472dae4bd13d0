"""The process that decodes a video: what it may do, and what its end means for the request."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.media.test_video_file import video
from xinference_internvl2.errors import RequestError
from xinference_internvl2.media import video_decoder_process as module
from xinference_internvl2.media.video_file import open_video


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_the_decoder_can_open_neither_files_nor_sockets() -> None:
    code = (
        "import socket, sys; from xinference_internvl2.media.video_decoder import *\n"
        "sys.path_hooks.clear(); confine(MAX_VIDEO_MEMORY, 9)\n"
        "for action in (lambda: open(sys.executable), socket.socket):\n"
        "    try: action(); print('opened')\n"
        "    except OSError as error: print(error.errno)\n"
    )
    plugin = Path(module.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=plugin, capture_output=True, text=True)
    assert done.stdout.split() == ["24", "24"], done.stderr


def test_a_header_does_not_wait_for_frames() -> None:
    with ThreadPoolExecutor() as threads, module._frame_slots, module._frame_slots:
        assert threads.submit(open_video, video(8), "part").result(60).seconds > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_header_takes_less_than_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    start = "from xinference_internvl2.media import video_decoder\n"
    start += "video_decoder.MAX_HEADER_CPU_SECONDS = 1\n"
    start += "video_decoder._write_header = lambda *_: any(iter(int, 1))\n"
    monkeypatch.setattr(module, "_CODE", module._CODE.replace("main(", f"{start}main(", 1))
    with pytest.raises(RequestError, match="part is not a video that can be read"):
        open_video(video(8), "part")


def test_decoding_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VIDEO_SECONDS", 0.01)
    with pytest.raises(RequestError, match=r"part takes over 0.01 s to decode; send a shorter"):
        open_video(video(8), "part")


def test_a_decoder_that_crashes_is_the_fault_of_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CODE", "import os; os.abort()")
    with pytest.raises(RequestError, match="part is not a video that can be read"):
        open_video(video(8), "part")


def test_a_decoder_that_cannot_start_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CODE", "import a_module_that_is_not_there")
    with pytest.raises(RuntimeError, match="a_module_that_is_not_there"):
        open_video(video(8), "part")
