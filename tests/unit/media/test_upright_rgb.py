"""Pictures as people see them, and as the published preprocessing does."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.support.chat.media import encode
from xinference_internvl2.media.image_file import open_image
from xinference_internvl2.media.tiles import Tiling
from xinference_internvl2.media.upright_rgb import to_upright_rgb

from .pictures import noise

# The tag of Exif.
ORIENTATION = 0x0112
SIDE = 8
ONE = Tiling(image_size=SIDE, max_tiles=1)


def pixels(data: bytes, *, published: bool = False) -> NDArray[np.uint8]:
    """(height, width, 3) of a picture of SIDE × SIDE pixels, as the model gets it."""
    return open_image(data, "part", published).cut(ONE)[0].transpose(1, 2, 0)


def array(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("RGB"))


YCBCR = pytest.param(
    "YCbCr",
    marks=pytest.mark.skipif(
        int(PIL.__version__.split(".")[0]) < 13, reason="this Pillow cannot read what it writes"
    ),
)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", YCBCR])
def test_what_is_plain_is_as_published(mode: str, published: bool) -> None:
    image = noise(SIDE, SIDE).convert(mode)
    name = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    assert np.array_equal(pixels(encode(image, name), published=published), array(image))


# What the tag says → how the stored picture has to be turned to be upright.
TURNS: dict[int, tuple[Image.Transpose, ...]] = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}


@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_picture_is_turned_upright(orientation: int, name: str) -> None:
    stored = noise(SIDE, SIDE)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(stored, name, exif=exif, **({"lossless": True} if name == "WEBP" else {}))
    upright = stored
    for turn in TURNS[orientation]:
        upright = upright.transpose(turn)
    assert np.array_equal(pixels(data), array(upright))
    # Pillow itself turns a TIFF.
    published = upright if name == "TIFF" else stored
    assert np.array_equal(pixels(data, published=True), array(published))


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("orientation", TURNS)
def test_the_grid_is_that_of_the_upright_picture(orientation: int, published: bool) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = open_image(encode(noise(40, 20), "JPEG", exif=exif), "part", published)
    lies_on_its_side = orientation in (5, 6, 7, 8) and not published
    assert (file.width, file.height) == ((20, 40) if lies_on_its_side else (40, 20))
    assert file.cut(Tiling(image_size=SIDE, max_tiles=2)).shape[0] == 3


def test_broken_metadata_turn_nothing() -> None:
    image = noise(SIDE, SIDE)
    assert np.array_equal(
        pixels(encode(image, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")), array(image)
    )


def palette() -> Image.Image:
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.info["transparency"] = 1
    return image


TRANSPARENT: list[tuple[Image.Image, dict[str, Any], tuple[int, int, int]]] = [
    (Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0)), {}, (255, 255, 255)),
    (Image.new("RGBA", (SIDE, SIDE), (0, 0, 255, 255)), {}, (0, 0, 255)),
    (Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 51)), {}, (204, 204, 204)),
    (Image.new("LA", (SIDE, SIDE), (0, 0)), {}, (255, 255, 255)),
    (Image.new("RGB", (SIDE, SIDE), (1, 2, 3)), {"transparency": (1, 2, 3)}, (255, 255, 255)),
    (Image.new("L", (SIDE, SIDE), 7), {"transparency": 7}, (255, 255, 255)),
    (palette(), {"transparency": 1}, (255, 255, 255)),
]


@pytest.mark.parametrize(("image", "options", "colour"), TRANSPARENT, ids=lambda value: "")
def test_what_is_transparent_lies_on_white(
    image: Image.Image, options: dict[str, Any], colour: tuple[int, int, int]
) -> None:
    data = encode(image, **options)
    assert np.array_equal(pixels(data), np.full((SIDE, SIDE, 3), colour))
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(pixels(data, published=True), array(opened))


# Some rows at a time are converted: one less, as many, one more, and several times as many.
HEIGHTS = [255, 256, 257, 600]


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize(("alpha", "shade"), [(0, 255), (51, 204), (255, 0)])
def test_a_tall_transparent_picture_is_laid_on_white_whole(
    height: int, alpha: int, shade: int
) -> None:
    image = to_upright_rgb(Image.new("RGBA", (SIDE, height), (0, 0, 0, alpha)))
    assert np.array_equal(array(image), np.full((height, SIDE, 3), shade))


@pytest.mark.parametrize("height", HEIGHTS)
def test_a_tall_grey_picture_is_scaled_whole(height: int) -> None:
    shades = np.arange(height) % 256
    image = to_upright_rgb(Image.fromarray(np.tile(shades[:, None] * 257, SIDE).astype(np.uint16)))
    assert np.array_equal(array(image)[:, 0, 0], shades)


def grey(values: Any, dtype: Any) -> Image.Image:
    """A picture whose rows hold `values`, SIDE of them."""
    return Image.fromarray(np.repeat(np.array(values, dtype)[:, None], SIDE, axis=1))


RAMP = np.arange(SIDE) / (SIDE - 1)
SHADES = np.rint(RAMP * 255).astype(int)
DEEP: list[tuple[str, Image.Image, dict[str, Any], Any]] = [
    ("PNG", grey(RAMP * 65535, np.uint16), {}, SHADES),
    ("TIFF", grey(RAMP * 65535, np.uint16), {}, SHADES),
    # A scan of 12 bits in a file of 16, which says so or not.
    ("TIFF", grey(RAMP * 4095, np.uint16), {}, SHADES),
    ("PNG", grey(RAMP * 4095, np.uint16), {}, SHADES),
    ("TIFF", grey(RAMP * 1023, np.uint16), {"tiffinfo": {281: 1023}}, SHADES),
    ("PNG", grey(RAMP * 4096, np.uint16), {}, np.rint(RAMP * 4096 / 257).astype(int)),
    ("TIFF", grey(RAMP, np.float32), {}, SHADES),
    ("TIFF", grey(RAMP * 255, np.float32), {}, SHADES),
    ("TIFF", grey(RAMP * 2 - 1, np.float32), {}, SHADES),
    ("TIFF", grey([np.nan, *RAMP[1:]], np.float32), {}, SHADES),
    ("TIFF", grey(RAMP * 100_000, np.int32), {}, SHADES),
    ("TIFF", grey([0.0] * SIDE, np.float32), {}, [0] * SIDE),
    ("TIFF", grey([7.0] * SIDE, np.float32), {}, [7] * SIDE),
    ("TIFF", grey([np.nan] * SIDE, np.float32), {}, [0] * SIDE),
    ("PNG", grey([65535] * SIDE, np.uint16), {}, [255] * SIDE),
]


@pytest.mark.parametrize(("name", "image", "options", "shades"), DEEP, ids=range(len(DEEP)))
def test_grey_has_its_real_depth(
    name: str, image: Image.Image, options: dict[str, Any], shades: Any
) -> None:
    data = encode(image, name, **options)
    found = pixels(data)
    assert np.abs(found[:, 0, 0].astype(int) - shades).max() <= 1
    assert (found == found[:, :1, :1]).all()
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(pixels(data, published=True), array(opened))


def test_a_transparent_grey_of_16_bits_is_white() -> None:
    values = np.full((SIDE, SIDE), 30_000, np.uint16)
    values[0, 0], values[1, 1] = 0, 65_535
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", transparency=0)
    seen = pixels(file.getvalue())
    assert seen[0, 0].tolist() == seen[1, 1].tolist() == [255] * 3
    assert seen[2, 2].tolist() == [round(30_000 * 255 / 65_535)] * 3
