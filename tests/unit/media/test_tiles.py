"""Tiles: the grid and the pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from xinference_internvl2.media.pixel_values import image_to_tiles
from xinference_internvl2.media.tiles import Tiling, cut_tiles

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def normalized(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    return (pixels.float() / 255 - MEAN) / STD


# Width, height, least and most tiles → columns, rows; worked out by hand from the published rule.
GRIDS = [
    (448, 448, 1, 12, (1, 1)),
    (896, 448, 1, 12, (2, 1)),
    (1920, 1080, 1, 12, (4, 2)),
    (1080, 1920, 1, 12, (2, 4)),
    (10000, 10, 1, 12, (12, 1)),
    (10, 10000, 1, 12, (1, 12)),
    (1, 1, 1, 12, (1, 1)),
    # 2 × 2 has the ratio of 1 × 1, and is taken if the image has over half of its pixels.
    (634, 634, 1, 12, (2, 2)),
    (633, 633, 1, 12, (1, 1)),
    # 2 × 2 is as close as 3 × 1, and the image has just half of its pixels, or more.
    (896, 448, 3, 4, (3, 1)),
    (898, 449, 3, 4, (2, 2)),
    (448, 448, 2, 12, (2, 2)),
    (448, 448, 1, 1, (1, 1)),
    # Equally close grids of one area: the order of a set of tuples decides.
    (2240, 1792, 32, 32, (4, 8)),
]


@pytest.mark.parametrize(("width", "height", "least", "most", "grid"), GRIDS)
def test_grid(width: int, height: int, least: int, most: int, grid: tuple[int, int]) -> None:
    assert Tiling(448, least, most).grid(width, height) == grid


def test_tiles_run_row_by_row_and_the_thumbnail_is_last() -> None:
    image = noise(300, 200)
    tiles = image_to_tiles(image, image_size=100, max_tiles=6)
    assert tiles.shape == (7, 3, 100, 100)
    assert tiles.dtype == torch.float32
    for index in range(6):
        left, top = index % 3 * 100, index // 3 * 100
        crop = image.crop((left, top, left + 100, top + 100))
        assert torch.allclose(tiles[index], normalized(crop), atol=1e-6)
    small = image.resize((100, 100), Image.Resampling.BICUBIC)
    assert torch.allclose(tiles[6], normalized(small), atol=1e-6)


def test_one_tile_has_no_thumbnail() -> None:
    assert image_to_tiles(noise(30, 30), image_size=28).shape == (1, 3, 28, 28)


def test_no_thumbnail_if_not_wanted() -> None:
    tiles = image_to_tiles(noise(60, 30), image_size=28, max_tiles=2, use_thumbnail=False)
    assert tiles.shape == (2, 3, 28, 28)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = noise(56, 56, "L").convert(mode) if mode == "LA" else noise(56, 56, mode)
    tiles = image_to_tiles(image, image_size=56, max_tiles=1)
    assert torch.allclose(tiles[0], normalized(image), atol=1e-6)


def test_a_grid_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="min_tiles 3 and max_tiles 2"):
        image_to_tiles(noise(10, 10), min_tiles=3, max_tiles=2)


@pytest.mark.parametrize(("width", "height"), [(448, 448), (1920, 1080), (10, 2000)])
@pytest.mark.parametrize("most", [1, 12])
def test_tiles_are_counted_without_cutting(width: int, height: int, most: int) -> None:
    tiling = Tiling(28, max_tiles=most)
    assert tiling.count(width, height) == len(cut_tiles(noise(width, height), tiling))
