"""Every bound of a picture and of what the pictures of a request come to: at it, and one beyond.

A large bound is made small for the test; what is compared with it stays the same.
"""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.errors import RequestError
from xinference_internvl2.media import image_decoder, source
from xinference_internvl2.media.limits import MAX_SIDE, MediaLimits
from xinference_internvl2.media.source import Media, open_media


def save(size: tuple[int, int], kind: str = "PNG", **options: bool) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("turned", [False, True])
def test_the_longest_side(turned: bool) -> None:
    def picture(side: int) -> bytes:
        return save((1, side) if turned else (side, 1))

    assert max(image_decoder.open_image(picture(MAX_SIDE), "it").size) == MAX_SIDE
    with pytest.raises(RequestError, match="whose sides have at most 65,535"):
        image_decoder.open_image(picture(MAX_SIDE + 1), "it")


@pytest.mark.parametrize(("kind", "most"), [("PNG", 64), ("JPEG", 16)])
def test_the_pixels_of_a_picture(kind: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = save((8, 8), kind)
    monkeypatch.setattr(image_decoder, "MAX_PIXELS", most)
    assert image_decoder.open_image(data, "it").size == (8, 8)
    monkeypatch.setattr(image_decoder, "MAX_PIXELS", most - 1)
    with pytest.raises(RequestError, match=f"at most {most - 1} pixels"):
        image_decoder.open_image(data, "it")


def test_the_scans_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    data = save((8, 8), "JPEG", progressive=True)
    passes = data.count(b"\xff\xda")
    assert passes > 1
    monkeypatch.setattr(image_decoder, "MAX_PASSES", 64 * passes)
    assert image_decoder.open_image(data, "it").size == (8, 8)
    monkeypatch.setattr(image_decoder, "MAX_PASSES", 64 * passes - 1)
    with pytest.raises(RequestError, match=f"in {passes} scans"):
        image_decoder.open_image(data, "it")


@pytest.mark.parametrize(("most", "side"), [(4096, 64), (4095, 32), (1024, 32), (1023, 16)])
def test_the_size_at_which_a_jpeg_is_decoded(
    most: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_decoder, "DRAFT_PIXELS", most)
    image = image_decoder.open_image(save((64, 64), "JPEG"), "it")
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
    monkeypatch.setattr(source, bound, most)
    assert len(open_media(media, limits, checkpoint, lambda *_: PICTURE)) == 2
    monkeypatch.setattr(source, bound, most - 1)
    with pytest.raises(RequestError, match=rf"^picture 2: .*over [\d,]+ {words}"):
        open_media(media, limits, checkpoint, lambda *_: PICTURE)
