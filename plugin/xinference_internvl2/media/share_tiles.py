"""Shares a number of tiles among the pictures of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import RequestError
from .media_item import OpenMedia


def fit_tiles(media: Sequence[OpenMedia], tiles: int) -> list[OpenMedia]:
    """Return `media` with at most `tiles` tiles together, thumbnails included.

    All pictures get the same bound, the largest with which they fit; those that need fewer tiles
    keep them.

    Raises:
        RequestError: not even one tile for each fits.
    """
    most = max((item.tiling.max_tiles for item in media), default=1)
    for bound in range(most, 0, -1):
        bounded = [_limit_tiles(item, bound) for item in media]
        if sum(item.tiles * item.frames for item in bounded) <= tiles:
            return bounded
    needed = sum(item.frames for item in media)
    raise RequestError(
        f"mm_processor_kwargs.fit: {needed} images and frames need as many tiles, but beside the "
        f"text and max_tokens there is room for {max(tiles, 0)}; send fewer, or give a smaller "
        "max_tokens"
    )


def _limit_tiles(item: OpenMedia, most: int) -> OpenMedia:
    tiling = item.tiling
    least, most = min(tiling.min_tiles, most), min(tiling.max_tiles, most)
    return replace(item, tiling=replace(tiling, min_tiles=least, max_tiles=most))
