"""An image file of a request: its header is read first, its pixels are decoded late."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from .decoder_pool import decoders_for
from .tiles import Tiling


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image of a request whose header has been read.

    Attributes:
        where: the part of the request it came from, for messages.
        width, height: in pixels; where it is not `published`, after it is turned upright.
        cost: pixels that a decoder visits.
        memory: bytes that its decoder may take.
        published: it is decoded as by the published preprocessing, not as people see it.
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
        pool = decoders_for(len(self.data), self.cost)
        answer, pixels = pool.ask(question, self.data, self.where)
        return np.frombuffer(pixels, np.uint8).reshape(answer["shape"])


def open_image(data: bytes, where: str, published: bool = False) -> ImageFile:
    """Read the header of an image file; of an animation the first frame counts.

    Raises:
        RequestError: not an image that can be read, or larger than the limits allow.
    """
    question = {"published": published, "tiling": None}
    answer, _ = decoders_for(len(data)).ask(question, data, where)
    return ImageFile(data, where, published=published, **answer)
