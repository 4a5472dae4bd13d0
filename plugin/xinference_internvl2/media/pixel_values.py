"""Turns tiles of bytes into the normalized pixel values that the vision tower expects."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .tiles import Tiling, cut_tiles

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def image_to_tiles(
    image: Image.Image,
    *,
    image_size: int = 448,
    min_tiles: int = 1,
    max_tiles: int = 12,
    use_thumbnail: bool = True,
) -> torch.Tensor:
    """Cut `image` into tiles of the grid whose aspect ratio is closest to its own.

    Args:
        image: of any mode; an alpha channel is dropped, as in the published preprocessing.
        image_size: side of a tile in pixels.
        min_tiles: least number of tiles that the grid may have.
        max_tiles: largest number of tiles that the grid may have.
        use_thumbnail: add the whole image as one more tile, where there are several.

    Returns:
        float32 tensor (tiles, 3, image_size, image_size), RGB normalized with ImageNet's mean
        and standard deviation; the grid row by row, the thumbnail last.

    Raises:
        ValueError: no grid has between `min_tiles` and `max_tiles` tiles.
    """
    tiling = Tiling(image_size, min_tiles, max_tiles, use_thumbnail)
    return normalize(cut_tiles(image.convert("RGB"), tiling))


def normalize_on_device(tiles: torch.Tensor) -> torch.Tensor:
    """Return `normalize(tiles)`, computed on their device: only bytes are copied to a GPU."""
    table = torch.from_numpy(_TABLE).to(tiles.device)
    channels = torch.arange(len(table), device=tiles.device)[:, None, None]
    return table[channels, tiles.int()]


def normalize(tiles: NDArray[np.uint8]) -> torch.Tensor:
    """Normalize uint8 tiles (tiles, 3, height, width) with ImageNet's mean and standard deviation.

    Returns:
        float32 tensor of the same shape.
    """
    normalized = np.empty(tiles.shape, np.float32)
    for tile, out in zip(tiles, normalized, strict=True):
        for channel, bytes_ in enumerate(tile):
            np.take(_TABLE[channel], bytes_, out=out[channel], mode="clip")
    return torch.from_numpy(normalized)


def _build_table() -> NDArray[Any]:
    """Return the normalized value of each byte in each channel: float32 array (3, 256).

    Values are looked up, and by numpy: torch would start threads, which slow down the model's.
    """
    mean, std = (np.array(each, np.float32)[:, None] for each in (IMAGENET_MEAN, IMAGENET_STD))
    table: NDArray[Any] = (np.arange(256, dtype=np.float32) / np.float32(255) - mean) / std
    return table


_TABLE = _build_table()
