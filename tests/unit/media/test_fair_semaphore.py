"""FairSemaphore: who waits gets a place before who comes back for another one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tests.support.chat.media import encode
from xinference_internvl2.media import image_decoder_pool, video_decoder_process
from xinference_internvl2.media.fair_semaphore import FairSemaphore
from xinference_internvl2.media.image_file import ImageFile, open_image
from xinference_internvl2.media.tiles import Tiling
from xinference_internvl2.media.video_file import VideoFile, open_video

ONE = Tiling(image_size=56, max_tiles=1)


def wait_for(turns: FairSemaphore, waiting: int) -> None:
    """Wait until so many stand in line."""
    deadline = time.monotonic() + 60
    while len(turns._queue) != waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_places_are_given_in_the_order_of_arrival() -> None:
    turns, order = FairSemaphore(1), list[str]()

    def ask(name: str, times: int) -> None:
        for _ in range(times):
            with turns:
                order.append(name)

    with ThreadPoolExecutor(3) as threads, turns:
        for waiting, (name, times) in enumerate([("a", 3), ("b", 2), ("c", 1)], 1):
            threads.submit(ask, name, times)
            wait_for(turns, waiting)
    assert order == ["a", "b", "c", "a", "b", "a"]


def test_as_many_places_as_there_are() -> None:
    turns = FairSemaphore(2)
    for _ in range(3):
        with turns, turns:
            assert turns._free == 0


def test_a_place_is_given_back_after_an_error() -> None:
    turns = FairSemaphore(1)
    with pytest.raises(ValueError, match="broken"), turns:
        raise ValueError("broken")
    with turns:
        pass


def image_line(monkeypatch: pytest.MonkeyPatch) -> tuple[FairSemaphore, Callable[[], object]]:
    pool = image_decoder_pool.DecoderPool(1)
    monkeypatch.setattr(image_decoder_pool, "_small", pool)
    file = open_image(encode(Image.new("RGB", (8, 8))), "part")
    assert isinstance(file, ImageFile)
    return pool._turns, lambda: file.cut(ONE)


def video_line(monkeypatch: pytest.MonkeyPatch) -> tuple[FairSemaphore, Callable[[], object]]:
    turns = FairSemaphore(1)
    monkeypatch.setattr(video_decoder_process, "_frame_slots", turns)
    frames = [Image.fromarray(np.full((64, 64, 3), value, np.uint8)) for value in (0, 255)]
    file = open_video(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]), "part")
    assert isinstance(file, VideoFile)
    return turns, lambda: file.cut(2, ONE)


@pytest.mark.parametrize("line", [image_line, video_line])
def test_a_request_with_many_lets_others_between(
    line: Callable[[pytest.MonkeyPatch], tuple[FairSemaphore, Callable[[], object]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (turns, cut), order = line(monkeypatch), list[str]()

    def ask(name: str, times: int) -> None:
        for _ in range(times):
            cut()
            order.append(name)

    with ThreadPoolExecutor(2) as threads, turns:
        for waiting, (name, times) in enumerate([("many", 3), ("one", 1)], 1):
            threads.submit(ask, name, times)
            wait_for(turns, waiting)
    assert order[:2] == ["many", "one"]
