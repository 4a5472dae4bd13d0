"""Cutting an image into the square tiles that InternVL2's vision tower sees."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

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
        image: of any mode; an alpha channel is dropped, not composited.
        image_size: side of a tile in pixels.
        min_tiles: least number of tiles that the grid may have.
        max_tiles: largest number of tiles that the grid may have.
        use_thumbnail: add the whole image as one more tile, where there are several.

    Returns:
        float32 tensor (tiles, 3, image_size, image_size), RGB normalized with ImageNet's mean
        and standard deviation; the grid row by row, the thumbnail last.

    Raises:
        ValueError: no grid has between `min_tiles` and `max_tiles` tiles.

    Source: the preprocessing published with InternVL2 (dynamic resolution).
    """
    if not 1 <= min_tiles <= max_tiles:
        raise ValueError(
            f"min_tiles {min_tiles} and max_tiles {max_tiles} allow no grid; "
            "give 1 <= min_tiles <= max_tiles"
        )
    image = image.convert("RGB")
    columns, rows = tile_grid(image.width, image.height, image_size, min_tiles, max_tiles)
    grid = _resized(image, columns * image_size, rows * image_size)
    grid = grid.reshape(rows, image_size, columns, image_size, 3).transpose(0, 2, 4, 1, 3)
    tiles = list(grid.reshape(-1, 3, image_size, image_size))
    if use_thumbnail and columns * rows > 1:
        tiles.append(_resized(image, image_size, image_size).transpose(2, 0, 1))
    return torch.from_numpy(_normalized(tiles))


def count_tiles(
    image: Image.Image, *, image_size: int, min_tiles: int, max_tiles: int, use_thumbnail: bool
) -> int:
    """The number of tiles that `image_to_tiles` makes of `image` with the same arguments."""
    columns, rows = tile_grid(image.width, image.height, image_size, min_tiles, max_tiles)
    return columns * rows + (use_thumbnail and columns * rows > 1)


def tile_grid(
    width: int, height: int, image_size: int, min_tiles: int, max_tiles: int
) -> tuple[int, int]:
    """Columns and rows of the grid for an image of `width` × `height` pixels.

    The closest aspect ratio wins; of grids with the same ratio the larger one, if the image has
    more than half of its pixels.
    """
    best, least = (1, 1), float("inf")
    for columns, rows in _grids(min_tiles, max_tiles):
        difference = abs(width / height - columns / rows)
        enough = width * height > 0.5 * image_size * image_size * columns * rows
        if difference < least or (difference == least and enough):
            best, least = (columns, rows), difference
    return best


@lru_cache(maxsize=64)
def _grids(min_tiles: int, max_tiles: int) -> tuple[tuple[int, int], ...]:
    # Where two grids of one area are equally close, the published code takes them in the order
    # of a set of tuples, filled like this one.
    grids = {
        (columns, rows)
        for size in range(min_tiles, max_tiles + 1)
        for columns in range(1, size + 1)
        for rows in range(1, size + 1)
        if min_tiles <= columns * rows <= max_tiles
    }
    return tuple(sorted(grids, key=lambda grid: grid[0] * grid[1]))


def _resized(image: Image.Image, width: int, height: int) -> NDArray[Any]:
    """(height, width, 3)"""
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def _normalized(tiles: list[NDArray[Any]]) -> NDArray[Any]:
    """(3, image_size, image_size) bytes each → (tiles, 3, image_size, image_size)"""
    normalized = np.empty((len(tiles), *tiles[0].shape), np.float32)
    for tile, out in zip(tiles, normalized, strict=True):
        for channel, bytes_ in enumerate(tile):
            np.take(_NORMALIZED[channel], bytes_, out=out[channel], mode="clip")
    return normalized


def _normalized_bytes() -> NDArray[Any]:
    """What each byte is in each channel: (3, 256). Looked up rather than computed, and with numpy:
    torch would start threads for it, which slow down those of the model."""
    mean, std = (np.array(each, np.float32)[:, None] for each in (IMAGENET_MEAN, IMAGENET_STD))
    table: NDArray[Any] = (np.arange(256, dtype=np.float32) / np.float32(255) - mean) / std
    return table


_NORMALIZED = _normalized_bytes()
