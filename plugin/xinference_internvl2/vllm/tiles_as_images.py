"""Hands vLLM tiles in place of images and frames, so that both engines see the same pixels.

vLLM would cut images itself, from a copy of the whole image in memory, and with the same bound for
all images of a request. Instead of an image it gets its tiles, stacked one below the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..media.pixel_values import normalize

# A key that no image file can have, so that none passes for a stack.
_IS_STACK: Any = object()


def stack_tiles(tiles: NDArray[np.uint8]) -> Image.Image:
    """Stack tiles (tiles, 3, height, width) into one image."""
    count, _, height, width = tiles.shape
    rows = tiles.transpose(0, 2, 3, 1).reshape(count * height, width, 3)
    image = Image.fromarray(np.ascontiguousarray(rows))
    image.info[_IS_STACK] = count
    return image


def accept_stacks(images_to_pixel_values: Any) -> Any:
    """Extend `_images_to_pixel_values_lst` of vLLM's image processor to take stacks of tiles."""

    def pixel_values(self: Any, images: list[Image.Image], *args: Any, **kwargs: Any) -> list[Any]:
        return [
            normalize(_unstack_tiles(image, image.info[_IS_STACK]))
            if _IS_STACK in image.info
            else images_to_pixel_values(self, [image], *args, **kwargs)[0]
            for image in images
        ]

    return pixel_values


def _unstack_tiles(image: Image.Image, count: int) -> NDArray[np.uint8]:
    rows = np.asarray(image)
    return rows.reshape(count, -1, image.width, 3).transpose(0, 3, 1, 2)
