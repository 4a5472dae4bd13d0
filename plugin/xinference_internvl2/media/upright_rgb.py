"""Converts an image to RGB as people see it: upright, on white, and with its real depth.

The published preprocessing does none of this: it ignores the EXIF orientation, drops transparency
(what lies beneath is often black), clips 16-bit grey to white, and turns floats from 0 to 1 black.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = range(5, 9)
_BITS_PER_SAMPLE, _MAX_SAMPLE_VALUE = 258, 281
_ROWS_AT_ONCE = 256


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of `image` after it is turned upright."""
    if _read_orientation(image) in _QUARTER_TURNS:
        return image.height, image.width
    return image.size


def to_upright_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in RGB as a viewer shows it."""
    turn = _TURNS.get(_read_orientation(image))
    if image.mode == "F" or image.mode.startswith("I"):
        image = _scale_to_bytes(image)
    elif image.has_transparency_data:
        image = _lay_on_white(image)
    elif image.mode != "RGB":
        image = image.convert("RGB")
    # An image that is right already is not copied: it may be large.
    return image if turn is None else image.transpose(turn)


def _read_orientation(image: Image.Image) -> int:
    # Pillow turns these by itself.
    if image.format == "TIFF":
        return 1
    # Reading broken metadata raises any exception; the pixels may be sound.
    with suppress(Exception):
        return int(image.getexif().get(ORIENTATION, 1))
    return 1


def _lay_on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent image on white, some rows at a time to save memory."""
    canvas = Image.new("RGB", image.size, "white")
    for top in range(0, image.height, _ROWS_AT_ONCE):
        bottom = min(top + _ROWS_AT_ONCE, image.height)
        rows = image.crop((0, top, image.width, bottom)).convert("RGBA")
        canvas.paste(rows, (0, top), rows)
    return canvas


def _scale_to_bytes(image: Image.Image) -> Image.Image:
    """Scale grey of more than 8 bits, or of floats, to RGB; transparent pixels become white."""
    values = np.asarray(image)
    low, high = _find_range(image, values)
    grey = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS_AT_ONCE):
        rows = np.nan_to_num(values[top : top + _ROWS_AT_ONCE].astype(np.float64), nan=low)
        scaled = (rows - low) * (255 / (high - low))
        grey[top : top + _ROWS_AT_ONCE] = np.clip(np.rint(scaled), 0, 255)
    if isinstance(transparent := image.info.get("transparency"), int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _find_range(image: Image.Image, values: NDArray[Any]) -> tuple[float, float]:
    """Return the values that stand for black and white.

    The file declares them, or its largest value tells the depth: scans of 12 bits are often stored
    in 16, and would be almost black. Values that no common depth holds are stretched from the least
    to the largest.
    """
    finite = values[np.isfinite(values)] if image.mode == "F" else values
    least, largest = (finite.min(), finite.max()) if finite.size else (0, 0)
    depths = (1, 255, 4095, 65535) if image.mode == "F" else (4095, 65535)
    fitting = [white for white in depths if least >= 0 and largest <= white]
    if (white := _read_declared_white(image)) and largest <= white:
        return 0, white
    if fitting:
        return 0, fitting[0]
    return float(least), float(max(largest, least + 1))


def _read_declared_white(image: Image.Image) -> int:
    """Return the largest value that a TIFF declares, or 0 if it declares none."""
    tags = getattr(image, "tag_v2", {})
    largest, bits = tags.get(_MAX_SAMPLE_VALUE), tags.get(_BITS_PER_SAMPLE)
    with suppress(TypeError, ValueError, IndexError):
        if largest is not None:
            return int(largest[0] if isinstance(largest, tuple) else largest)
        if bits is not None and 8 < bits[0] < 16:
            return (1 << int(bits[0])) - 1
    return 0
