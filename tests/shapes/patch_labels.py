"""The tiles of samples, with labels of what each of their patches shows.

Shapes use: T tiles, C image tokens of a tile, S side of a tile in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from xinference_internvl2.media.pixel_values import image_to_tiles
from xinference_internvl2.media.tiles import Tiling

from .picture import Picture
from .task import Sample
from .vocabulary import COLOURS, SHAPES

TILE_SIZE = 56
CELLS = 2  # image tokens on a side of a tile
MAX_TILES = 6
CLASSES = 1 + len(SHAPES) * len(COLOURS)
ZONES = 3  # on a side of a tile
_LEAST_COVERAGE = 0.1
_FINE = 8  # places on a side of a tile at which shapes are looked for


@dataclass(frozen=True)
class Views:
    """Tiles (T, 3, S, S), and what each image token sees: a shape of a colour (T, C), in which of
    the tile's zones (T, C)."""

    pixel_values: torch.Tensor
    cells: torch.Tensor
    zones: torch.Tensor


def make_views(samples: Sequence[Sample]) -> Views:
    """The tiles of all samples."""
    return join_views([view for sample in samples for view in make_views_of(sample)])


def join_views(views: Sequence[Views]) -> Views:
    """Return the tiles of all views as one."""
    return Views(
        torch.cat([view.pixel_values for view in views]),
        torch.cat([view.cells for view in views]),
        torch.cat([view.zones for view in views]),
    )


def make_views_of(sample: Sample, max_tiles: int = MAX_TILES) -> list[Views]:
    """Return the tiles of each picture of a sample."""
    most = 1 if sample.media == "video" else max_tiles
    return [
        Views(
            image_to_tiles(picture.draw(), image_size=TILE_SIZE, max_tiles=most),
            *_label_tokens(picture, most),
        )
        for picture in sample.pictures
    ]


def _label_tokens(picture: Picture, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What each image token of the picture sees, 0 if nothing, and in which zone: (T, C) each."""
    columns, rows = Tiling(TILE_SIZE, 1, most).grid(picture.width, picture.height)
    tiles = _cut_into_tiles(picture.compute_coverage(columns * _FINE, rows * _FINE), columns, rows)
    if columns * rows > 1:
        tiles = np.concatenate(
            [tiles, _cut_into_tiles(picture.compute_coverage(_FINE, _FINE), 1, 1)]
        )
    cells = np.stack([_label_cells(picture, tile) for tile in tiles])
    zones = np.stack([_label_zones(tile) for tile in tiles])
    return torch.from_numpy(cells), torch.from_numpy(np.where(cells > 0, zones, 0))


def _cut_into_tiles(coverage: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """(shapes, rows · fine, columns · fine) → (tiles, shapes, fine, fine)"""
    parts = coverage.reshape(len(coverage), rows, _FINE, columns, _FINE)
    return parts.transpose(1, 3, 0, 2, 4).reshape(rows * columns, -1, _FINE, _FINE)


def _average_cells(tile: np.ndarray) -> np.ndarray:
    """How much of each cell the shapes cover: (shapes, C)"""
    size = _FINE // CELLS
    return tile.reshape(len(tile), CELLS, size, CELLS, size).mean((2, 4)).reshape(len(tile), -1)


def _label_cells(picture: Picture, tile: np.ndarray) -> np.ndarray:
    """What each cell of one tile shows most of: (C)"""
    coverage = _average_cells(tile)
    names = [
        1 + list(SHAPES).index(s.kind) * len(COLOURS) + list(COLOURS).index(s.colour)
        for s in picture.shapes
    ]
    found: np.ndarray = np.array(names)[coverage.argmax(0)]
    found[coverage.max(0) < _LEAST_COVERAGE] = 0
    return found


def _label_zones(tile: np.ndarray) -> np.ndarray:
    """In which zone of the tile the shape lies that each cell shows most of: (C)"""
    middles = (np.arange(_FINE) + 0.5) / _FINE
    mass = tile.sum((1, 2)) + 1e-6
    down = (tile.sum(2) @ middles / mass * ZONES).astype(int)
    across = (tile.sum(1) @ middles / mass * ZONES).astype(int)
    return np.asarray((down * ZONES + across)[_average_cells(tile).argmax(0)])
