"""Decodes untrusted images, in a process of its own (see `decoder_pool`).

Whatever a file makes Pillow do, only this process suffers: it may use `MAX_IMAGE_SECONDS` of
processor time for an image and `MAX_IMAGE_MEMORY`, and can open neither files nor sockets.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO
from typing import Any, BinaryIO

from PIL import Image, features

from ..errors import RequestError
from .limits import (
    BYTES_PER_PIXEL,
    DRAFT_PIXELS,
    MAX_IMAGE_MEMORY,
    MAX_IMAGE_SECONDS,
    MAX_PASSES,
    MAX_PIXELS,
    MAX_SIDE,
)
from .sandbox import confine, count_address_space, limit_seconds
from .tiles import Tiling, cut_tiles
from .upright_rgb import to_upright_rgb, upright_size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_START_OF_SCAN = b"\xff\xda"


def main() -> None:
    """Answer the questions on standard input until it ends.

    A question is a line of JSON, followed by the file. Its fields are `bytes`, the length of the
    file; `where` it comes from; `published`, whether it is decoded as by the published
    preprocessing; and `tiling`, null if only the header is wanted. An answer is a line of JSON,
    followed by the bytes of the tiles if it has a `shape`.
    """
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    Image.init()
    # Pillow's plugins are imported now: nothing can be opened later.
    confine(count_address_space() + MAX_IMAGE_MEMORY)
    while line := questions.readline():
        question = json.loads(line)
        data = questions.read(question.pop("bytes"))
        limit_seconds(MAX_IMAGE_SECONDS)
        try:
            _answer(answers, data, **question)
        except RequestError as error:
            _write_line(answers, {"refused": str(error)})
        except MemoryError:
            _write_line(answers, {"refused": _describe_too_large(question["where"])})
        limit_seconds(0)
        answers.flush()


def _answer(
    answers: BinaryIO, data: bytes, where: str, published: bool, tiling: dict[str, Any] | None
) -> None:
    image = open_image(data, where)
    size = image.size if published else upright_size(image)
    if tiling is None:
        passes = _count_passes(image, data)
        found = {"width": size[0], "height": size[1], "cost": image.width * image.height * passes}
        if passes == 1:  # a progressive one is in memory whole before it is made smaller
            _draft(image)
        memory = min(image.width * image.height * BYTES_PER_PIXEL, MAX_IMAGE_MEMORY)
        _write_line(answers, {**found, "memory": memory})
        return
    _draft(image)
    # Decoders of broken files raise whatever they run into.
    try:
        image.load()
        image = image.convert("RGB") if published else to_upright_rgb(image)
    except MemoryError:
        raise
    except Exception:
        raise _unreadable_error(data, where) from None
    tiles = cut_tiles(image, Tiling(**tiling), size)
    _write_line(answers, {"shape": tiles.shape})
    answers.write(tiles.data)


def _write_line(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")


def open_image(data: bytes, where: str) -> Image.Image:
    """Read the header of an image file; of an animation the first frame counts.

    Raises:
        RequestError: not an image in one of FORMATS, or more of it than the limits allow.
    """
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(BytesIO(data), formats=readable_formats())
    except MemoryError:
        raise
    except Exception:
        raise _unreadable_error(data, where) from None
    width, height = image.size
    if max(width, height) > MAX_SIDE:
        raise RequestError(
            f"{where} has {width}×{height} pixels; send an image whose sides have at most "
            f"{MAX_SIDE:,}"
        )
    passes = _count_passes(image, data)
    if width * height > MAX_PIXELS * (4 if image.format == "JPEG" and passes == 1 else 1):
        raise RequestError(
            f"{where} has {width}×{height} pixels; send an image of at most {MAX_PIXELS:,} pixels"
        )
    if width * height * passes > MAX_PASSES:
        raise RequestError(
            f"{where} is a JPEG of {width}×{height} pixels in {passes} scans; "
            "save it as a baseline JPEG"
        )
    return image


def readable_formats() -> tuple[str, ...]:
    """Return the formats that Pillow can read here."""
    return (*FORMATS, "AVIF") if features.check("avif") else FORMATS


def _count_passes(image: Image.Image, data: bytes) -> int:
    """Return how often a decoder visits every pixel: once for each scan of a progressive JPEG."""
    if image.format != "JPEG" or "progressive" not in image.info:
        return 1
    return max(data.count(_START_OF_SCAN), 1)


def _draft(image: Image.Image) -> None:
    """Let a very large JPEG be decoded at a half, a quarter or an eighth of its size.

    Its tiles have far fewer pixels in any case.
    """
    scale = 1
    while image.width * image.height > DRAFT_PIXELS * scale * scale and scale < 8:
        scale *= 2
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))


def _unreadable_error(data: bytes, where: str) -> RequestError:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return RequestError(f"{where} is a HEIC image, which cannot be read; convert it to JPEG")
    return RequestError(
        f"{where} is not an image that can be read; send a {', '.join(readable_formats())} file"
    )


def _describe_too_large(where: str) -> str:
    return (
        f"{where} takes over {MAX_IMAGE_MEMORY >> 20} MB of memory to decode; send a smaller image"
    )
