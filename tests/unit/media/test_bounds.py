"""Every bound of what pictures come to, alone and together: at it, and one beyond.

A large bound is made small for the test; what is compared with it stays the same.
"""

from __future__ import annotations

import base64
import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.errors import CheckpointError, RequestError
from xinference_internvl2.media import (
    accepted_images,
    data_url,
    fetch_and_open,
    image_decoder,
    image_decoder_pool,
    request_totals,
)
from xinference_internvl2.media.fetch_and_open import open_media
from xinference_internvl2.media.limits import MediaLimits
from xinference_internvl2.media.media_item import Media
from xinference_internvl2.media.media_launch_options import read_launch_budget, read_launch_limits
from xinference_internvl2.media.request_totals import check_counts


def save(size: tuple[int, int], kind: str = "PNG", **options: bool) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("scans", [1, 2])
def test_pixels_count_once_for_each_scan(scans: int) -> None:
    data = save((8, 8), "JPEG", progressive=True)
    places = [place for place in range(len(data)) if data.startswith(b"\xff\xda", place)]
    some = data[: places[scans]] + b"\xff\xd9"
    question = {"published": False, "tiling": None}
    answer, _ = image_decoder_pool._small.ask(question, some, "it")
    assert answer["cost"] == scans * 64


@pytest.mark.parametrize(("most", "side"), [(4096, 64), (4095, 32), (1024, 32), (1023, 16)])
def test_the_size_at_which_a_jpeg_is_decoded(
    most: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_decoder, "DRAFT_PIXELS", most)
    image = accepted_images.open_accepted(save((64, 64), "JPEG"), "it")
    image_decoder._draft(image)
    assert image.size == (side, side)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> CheckpointConfig:
    return read_config(make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2"))


PICTURE = save((8, 8))


@pytest.mark.parametrize(
    ("bound", "most", "words"),
    [
        ("MAX_BYTES", 2 * len(PICTURE), "bytes together"),
        ("MAX_FETCHED_BYTES", 2 * len(PICTURE), "bytes together"),
        ("MAX_PIXELS_TOGETHER", 2 * 64, "pixels together"),
    ],
)
def test_what_the_pictures_of_a_request_come_to(
    bound: str,
    most: int,
    words: str,
    checkpoint: CheckpointConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    media = [Media("image", f"http://example.org/{n}", f"picture {n}") for n in (1, 2)]
    limits = MediaLimits(12)
    monkeypatch.setattr(request_totals, bound, most)
    assert len(open_media(media, limits, checkpoint, lambda *_: PICTURE)) == 2
    monkeypatch.setattr(request_totals, bound, most - 1)
    with pytest.raises(RequestError, match=rf"^picture 2: .*over [\d,]+ {words}"):
        open_media(media, limits, checkpoint, lambda *_: PICTURE)


@pytest.mark.parametrize(("kind", "most"), [("image", 16), ("video", 4)])
def test_how_many_a_launch_allows_by_itself(
    kind: Any, most: int, checkpoint: CheckpointConfig
) -> None:
    limits, media = read_launch_limits({}, checkpoint), [Media(kind, "", "it")] * (most + 1)
    check_counts(media[:most], limits)
    with pytest.raises(RequestError, match=f"has {most + 1} {kind}s, but at most {most} are"):
        check_counts(media, limits)


@pytest.mark.parametrize("name", ["image", "video", "max_waiting_requests", "media_memory"])
def test_the_most_that_a_launch_can_allow(name: str, checkpoint: CheckpointConfig) -> None:
    most = 1 << 20 if name == "media_memory" else 1 << 16

    def launch(value: int) -> None:
        if name in ("image", "video"):
            read_launch_limits({"limit_mm_per_prompt": {name: value}}, checkpoint)
        else:
            read_launch_budget({name: value})

    launch(most)
    with pytest.raises(CheckpointError, match=rf"{name} {most + 1} is not a whole number from"):
        launch(most + 1)


@pytest.mark.parametrize(("elsewhere", "most"), [(True, 128 << 20), (False, 256 << 20)])
def test_the_bytes_of_a_request(
    elsewhere: bool, most: int, checkpoint: CheckpointConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fetch_and_open, "_open", lambda *_: SimpleNamespace(file=SimpleNamespace(width=1, height=1))
    )

    def ask(size: int) -> None:
        monkeypatch.setattr(
            fetch_and_open, "read_inline", lambda _: None if elsewhere else bytes(size)
        )
        open_media([Media("image", "", "it")], MediaLimits(12), checkpoint, lambda *_: bytes(size))

    ask(most)
    with pytest.raises(RequestError, match=f"over {most:,} bytes together"):
        ask(most + 1)


def test_the_time_to_fetch_all(checkpoint: CheckpointConfig) -> None:
    left: list[float] = []

    def fetch(_: str, deadline: float) -> bytes:
        left.append(deadline - time.monotonic())
        return PICTURE

    open_media([Media("image", "x", "it")] * 2, MediaLimits(12), checkpoint, fetch)
    assert 59 < left[0] <= 60
    assert left[1] < left[0]


@pytest.mark.parametrize(
    ("size", "cost", "small"),
    [(1 << 20, 4_000_000, True), ((1 << 20) + 1, 0, False), (0, 4_000_001, False)],
)
def test_what_waits_for_no_large_picture(size: int, cost: int, small: bool) -> None:
    pool = image_decoder_pool._small if small else image_decoder_pool._large
    assert image_decoder_pool.choose_decoders(size, cost) is pool


@pytest.mark.parametrize(("most", "wall"), [(2, 60)])
def test_how_many_decode_at_once_and_how_long(
    most: int, wall: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(image_decoder_pool._small._idle) == len(image_decoder_pool._large._idle) == most
    watches: list[float] = []

    class Timer:
        def __init__(self, seconds: float, _: Any) -> None:
            watches.append(seconds)
            self.start = self.cancel = lambda: None

    monkeypatch.setattr(image_decoder_pool, "Timer", Timer)
    assert image_decoder_pool._small.ask({"published": False, "tiling": None}, PICTURE, "it")
    assert watches == [wall]


@pytest.mark.parametrize("beginning", data_url._MAGIC_NUMBERS)
def test_a_file_in_base64_is_known_by_its_first_bytes(beginning: bytes) -> None:
    data = beginning.ljust(40, b"\1")
    assert data_url.read_inline(base64.b64encode(data).decode()) == data
    assert data_url.read_inline(base64.b64encode(b"\1" + data).decode()) is None
