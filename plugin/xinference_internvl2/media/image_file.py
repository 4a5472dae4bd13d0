"""An image file of a request: its header is read at first, its pixels are decoded later."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from .image_decoder_pool import choose_decoders
from .tiles import Tiling


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image of a request whose header has been read.

    Attributes:
        where: the part of the request that it comes from, for messages.
        width, height: in pixels; turned upright, unless it is `published`.
        cost: the pixels that a decoder visits, each as often as it does.
        memory: the bytes that its decoder may take.
        published: whether it is decoded as by the published preprocessing: see `upright_rgb`.
    """

    data: bytes
    where: str
    width: int
    height: int
    cost: int
    memory: int
    published: bool

    def cut(self, tiling: Tiling) -> NDArray[np.uint8]:
        """Decode the image and return its tiles (tiles, 3, image_size, image_size).

        Raises:
            RequestError: the file is broken, or takes too much time or memory.
        """
        question = {"published": self.published, "tiling": asdict(tiling)}
        pool = choose_decoders(len(self.data), self.cost)
        answer, pixels = pool.ask(question, self.data, self.where)
        return np.frombuffer(pixels, np.uint8).reshape(answer["shape"])


def open_image(data: bytes, where: str, published: bool = False) -> ImageFile:
    """Read the header of an image file; of an animation the first frame counts.

    Raises:
        RequestError: not an image that can be read, or larger than the limits allow.
    """
    question = {"published": published, "tiling": None}
    answer, _ = choose_decoders(len(data)).ask(question, data, where)
    return ImageFile(data, where, published=published, **answer)
