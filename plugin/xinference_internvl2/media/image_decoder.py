"""Decodes untrusted images, in a process of its own (see `image_decoder_pool`).

Whatever a file makes Pillow do, only this process suffers: it may use `MAX_IMAGE_SECONDS` of
processor time for an image and `MAX_IMAGE_MEMORY`, and can open neither files nor sockets.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

from PIL import Image

from ..errors import RequestError
from .accepted_images import count_passes, open_accepted, unreadable_error
from .decoder_memory import estimate_image_memory
from .limits import DRAFT_PIXELS, MAX_IMAGE_MEMORY, MAX_IMAGE_SECONDS
from .sandbox import confine, count_address_space, limit_seconds
from .tiles import Tiling, cut_tiles
from .upright_rgb import to_upright_rgb, upright_size


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
    image = open_accepted(data, where)
    size = image.size if published else upright_size(image)
    if tiling is None:
        passes = count_passes(image, data)
        found = {"width": size[0], "height": size[1], "cost": image.width * image.height * passes}
        if passes == 1:  # a progressive one is in memory whole before it is made smaller
            _draft(image)
        _write_line(answers, {**found, "memory": estimate_image_memory(*image.size)})
        return
    _draft(image)
    # Decoders of broken files raise whatever they run into.
    try:
        image.load()
        image = image.convert("RGB") if published else to_upright_rgb(image)
    except MemoryError:
        raise
    except Exception:
        raise unreadable_error(data, where) from None
    tiles = cut_tiles(image, Tiling(**tiling), size)
    _write_line(answers, {"shape": tiles.shape})
    answers.write(tiles.data)


def _write_line(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")


def _draft(image: Image.Image) -> None:
    """Let a very large JPEG be decoded at a half, a quarter or an eighth of its size.

    Its tiles have far fewer pixels in any case.
    """
    scale = 1
    while image.width * image.height > DRAFT_PIXELS * scale * scale and scale < 8:
        scale *= 2
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))


def _describe_too_large(where: str) -> str:
    return (
        f"{where} takes over {MAX_IMAGE_MEMORY >> 20} MB of memory to decode; send a smaller image"
    )
