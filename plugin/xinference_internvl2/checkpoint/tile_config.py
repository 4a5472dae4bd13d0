"""Reads the tiles of a checkpoint: their side, image tokens, and how many a picture has."""

from __future__ import annotations

from .typed_fields import Section
from .vision_config import MAX_SIDE, read_vision

MAX_TILES = 64
"""Of a picture, in a checkpoint, a launch or a request; the thumbnail comes on top."""


def read_tile_size(top: Section) -> tuple[int, int]:
    """Return the side of a tile in pixels, and the image tokens that a tile takes."""
    vision = read_vision(top)
    tile_size = top.integer("force_image_size", 1, MAX_SIDE, vision["image_size"])
    patch_size = vision["patch_size"]
    ratio = top.number("downsample_ratio", 0.5)
    if not (1 / ratio).is_integer():
        raise top.refuse("downsample_ratio", "1 divided by a whole number")
    side = tile_size // patch_size
    if tile_size % patch_size or side % int(1 / ratio):
        raise top.refuse(
            "force_image_size",
            f"a multiple of {patch_size * int(1 / ratio)}, an image token's side",
        )
    return tile_size, int(side * ratio) ** 2


def read_tile_limits(top: Section) -> tuple[int, int]:
    """Return the least and the most tiles of a picture, without the thumbnail."""
    dynamic, padded = top.flag("dynamic_image_size", False), top.flag("pad2square", False)
    if padded and not dynamic:
        raise top.refuse("pad2square", "false: a picture is resized to the tile, never padded")
    if not dynamic:
        return 1, 1
    most = top.integer("max_dynamic_patch", 1, MAX_TILES, 6)
    return top.integer("min_dynamic_patch", 1, most, 1), most


def read_use_thumbnail(top: Section) -> bool:
    """Return whether a picture of several tiles has a thumbnail of the whole beside them."""
    return top.flag("use_thumbnail", False)
