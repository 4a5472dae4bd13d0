"""Cuts images into the tiles that InternVL2's vision tower encodes.

Source: the preprocessing published with InternVL2 (dynamic resolution).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an image is cut into tiles.

    Attributes:
        image_size: side of a tile in pixels.
        min_tiles: least number of tiles that the grid may have.
        max_tiles: largest number of tiles that the grid may have.
        use_thumbnail: add the whole image as one more tile, where there are several.

    Raises:
        ValueError: no grid has between `min_tiles` and `max_tiles` tiles.
    """

    image_size: int = 448
    min_tiles: int = 1
    max_tiles: int = 12
    use_thumbnail: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.min_tiles <= self.max_tiles:
            raise ValueError(
                f"min_tiles {self.min_tiles} and max_tiles {self.max_tiles} allow no grid; "
                "give 1 <= min_tiles <= max_tiles"
            )

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """Return columns and rows of the grid for an image of `width` × `height` pixels.

        The closest aspect ratio wins; of grids with the same ratio the larger one, if the image
        has more than half of its pixels.
        """
        best, least = (1, 1), float("inf")
        for columns, rows in _grids(self.min_tiles, self.max_tiles):
            difference = abs(width / height - columns / rows)
            enough = width * height > 0.5 * self.image_size * self.image_size * columns * rows
            if difference < least or (difference == least and enough):
                best, least = (columns, rows), difference
        return best

    def count(self, width: int, height: int) -> int:
        """Return the number of tiles of an image of `width` × `height` pixels."""
        columns, rows = self.grid(width, height)
        return columns * rows + (self.use_thumbnail and columns * rows > 1)


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


def cut_tiles(
    image: Image.Image, tiling: Tiling, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Cut an RGB image into the tiles of its grid, row by row, the thumbnail last.

    Args:
        size: width and height that decide the grid, where `image` was decoded smaller.

    Returns:
        uint8 array (tiles, 3, image_size, image_size).
    """
    side = tiling.image_size
    columns, rows = tiling.grid(*(size or image.size))
    grid = _resize(image, columns * side, rows * side)
    grid = grid.reshape(rows, side, columns, side, 3).transpose(0, 2, 4, 1, 3)
    tiles = [*grid.reshape(-1, 3, side, side)]
    if tiling.use_thumbnail and columns * rows > 1:
        tiles.append(_resize(image, side, side).transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(tiles))


def _resize(image: Image.Image, width: int, height: int) -> NDArray[Any]:
    """Return an array (height, width, 3) of bytes."""
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
