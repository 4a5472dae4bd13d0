"""Reads the options of a launch that bound the media of requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.tile_config import MAX_TILES
from ..errors import CheckpointError
from ..launch_option_values import read_flag, read_number
from .limits import (
    DEFAULT_FRAMES,
    DEFAULT_WAITING,
    MAX_FRAMES,
    MAX_IMAGES,
    MAX_VIDEOS,
    MediaLimits,
)
from .memory_budget import Budget, default_memory

LAUNCH_OPTIONS = (
    *("limit_mm_per_prompt", "max_dynamic_patch", "max_dynamic_patch_limit", "num_frames"),
    *("published_pixels", "media_memory", "max_waiting_requests"),
)
"""The options of a launch that `read_launch_limits` and `read_launch_budget` read."""


def read_launch_limits(options: Mapping[str, Any], checkpoint: CheckpointConfig) -> MediaLimits:
    """Return the limits that the options of a launch set.

    Raises:
        CheckpointError: an option out of its range.
    """
    limits = _read_object(options.get("limit_mm_per_prompt"))
    max_tiles = read_number(
        options, "max_dynamic_patch", checkpoint.max_tiles, checkpoint.min_tiles, MAX_TILES
    )
    return MediaLimits(
        max_tiles=max_tiles,
        max_tiles_limit=read_number(
            options, "max_dynamic_patch_limit", max_tiles, max_tiles, MAX_TILES
        ),
        frames=read_number(options, "num_frames", DEFAULT_FRAMES, 1, MAX_FRAMES),
        images=read_number(limits, "image", MAX_IMAGES, 0, 1 << 16),
        videos=read_number(limits, "video", MAX_VIDEOS, 0, 1 << 16),
        published_pixels=read_flag(options, "published_pixels"),
    )


def read_launch_budget(options: Mapping[str, Any]) -> Budget:
    """Return the budget that the options of a launch set.

    Raises:
        CheckpointError: an option out of its range.
    """
    megabytes = read_number(options, "media_memory", default_memory() >> 20, 64, 1 << 20)
    waiting = read_number(options, "max_waiting_requests", DEFAULT_WAITING, 0, 1 << 16)
    return Budget(megabytes << 20, waiting)


def _read_object(value: Any) -> Mapping[str, Any]:
    """Return `limit_mm_per_prompt` as an object; a command line gives it as JSON text."""
    try:
        found = json.loads(value) if isinstance(value, str) else value or {}
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise CheckpointError(
            f"limit_mm_per_prompt {value!r:.80} is not a JSON object such as "
            '{"image": 32, "video": 2}'
        )
    return found
