"""Which images are accepted: formats, pixels and scans, at each bound and one beyond.

A large bound is made small for some tests; what is compared with it stays the same.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, features

from tests.support.chat.media import encode
from xinference_internvl2.errors import RequestError
from xinference_internvl2.media import accepted_images, limits
from xinference_internvl2.media.accepted_images import open_accepted
from xinference_internvl2.media.image_file import open_image
from xinference_internvl2.media.limits import MAX_SIDE
from xinference_internvl2.media.tiles import Tiling, cut_tiles

from .pictures import many_scans, noise, png
from .test_bounds import save

ONE = Tiling(image_size=56, max_tiles=1)


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG"])
def test_formats(name: str) -> None:
    data = encode(noise(20, 10), name)
    file = open_image(data, "part")
    assert (file.width, file.height) == (20, 10)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(file.cut(ONE), cut_tiles(image.convert("RGB"), ONE))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif() -> None:
    assert open_image(encode(noise(20, 10), "AVIF"), "part").cut(ONE).shape == (1, 3, 56, 56)


def test_a_heic_image_is_named() -> None:
    with pytest.raises(RequestError, match=r"part is a HEIC image, which cannot be read; convert"):
        open_image(b"\0\0\0\x18ftypheic" + bytes(40), "part")


BROKEN = [
    b"",
    b"no image",
    b"GIF89a",
    encode(noise(90, 90), "PNG")[:300],
    encode(noise(90, 90), "JPEG")[:30],
    encode(noise(9, 9), "PPM"),
]


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(RequestError, match=r"part\[1\] is not an image that can be read"):
        open_image(data, "part[1]").cut(ONE)


def bmp(width: int, height: int) -> bytes:
    """The header of a picture in 24 bits."""
    data = bytearray(encode(noise(8, 8), "BMP"))
    data[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return bytes(data)


# At a bound and one beyond it.
SIZES = [
    (15_000, 10_000, None),
    (15_000, 10_001, "15000×10001 pixels; send an image of at most 150,000,000 pixels"),
    (65_535, 1, None),
    (65_536, 1, "65536×1 pixels; send an image whose sides have at most 65,535"),
    (1, 65_536, "1×65536 pixels; send an image whose sides"),
    (60_000, 60_000, "60000×60000 pixels; send an image of at most"),
]


@pytest.mark.parametrize(("width", "height", "sentence"), SIZES)
def test_the_largest_image(width: int, height: int, sentence: str | None) -> None:
    if sentence is None:
        assert open_image(bmp(width, height), "part").width == width
        return
    with pytest.raises(RequestError, match=f"part has {sentence}"):
        open_image(bmp(width, height), "part")


def test_a_thin_picture_is_refused() -> None:
    with pytest.raises(RequestError, match="part has 1×100000 pixels; send an image whose sides"):
        open_image(png(1, 100_000), "part")


@pytest.mark.parametrize(("scans", "refused"), [(100, False), (101, True)])
def test_scans_count_as_pixels_do(scans: int, refused: bool) -> None:
    data = bytearray(many_scans(64, 64, scans))
    # The size stands in the start of the frame, which says that it is progressive.
    place = data.index(b"\xff\xc2") + 5
    data[place : place + 4] = (2500).to_bytes(2, "big") + (4000).to_bytes(2, "big")
    if not refused:
        assert open_image(bytes(data), "part").cost == limits.MAX_PASSES
        return
    with pytest.raises(RequestError, match=f"part is a JPEG of 4000×2500 pixels in {scans} scans"):
        open_image(bytes(data), "part")


@pytest.mark.parametrize("turned", [False, True])
def test_the_longest_side(turned: bool) -> None:
    def picture(side: int) -> bytes:
        return save((1, side) if turned else (side, 1))

    assert max(open_accepted(picture(MAX_SIDE), "it").size) == MAX_SIDE
    with pytest.raises(RequestError, match="whose sides have at most 65,535"):
        open_accepted(picture(MAX_SIDE + 1), "it")


@pytest.mark.parametrize(("kind", "most"), [("PNG", 64), ("JPEG", 16)])
def test_the_pixels_of_a_picture(kind: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = save((8, 8), kind)
    monkeypatch.setattr(accepted_images, "MAX_PIXELS", most)
    assert open_accepted(data, "it").size == (8, 8)
    monkeypatch.setattr(accepted_images, "MAX_PIXELS", most - 1)
    with pytest.raises(RequestError, match=f"at most {most - 1} pixels"):
        open_accepted(data, "it")


def test_the_scans_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    data = save((8, 8), "JPEG", progressive=True)
    passes = data.count(b"\xff\xda")
    assert passes > 1
    monkeypatch.setattr(accepted_images, "MAX_PASSES", 64 * passes)
    assert open_accepted(data, "it").size == (8, 8)
    monkeypatch.setattr(accepted_images, "MAX_PASSES", 64 * passes - 1)
    with pytest.raises(RequestError, match=f"in {passes} scans"):
        open_accepted(data, "it")
