"""Every bound of a request's media, and the launch or request option that moves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..checkpoint.config import CheckpointConfig
from ..errors import CheckpointError, RequestError

IMAGE_LIMIT, VIDEO_LIMIT = 16, 4
DEFAULT_FRAMES, MAX_FRAMES = 8, 64
MAX_TILES = 64
MAX_BYTES = 256 * 1024 * 1024
MAX_PIXELS = 150_000_000
MAX_SCANS = 100
FETCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What a launch allows a request, and what a request gets if it does not say.

    `max_tiles` is the largest grid of an image; `frames` is what is shown of a video.
    """

    max_tiles: int
    frames: int = DEFAULT_FRAMES
    images: int = IMAGE_LIMIT
    videos: int = VIDEO_LIMIT


def launch_limits(options: Mapping[str, Any], checkpoint: CheckpointConfig) -> MediaLimits:
    """The limits that a launch with `options` sets.

    Raises:
        CheckpointError: an option out of its range.
    """
    limits = _json_object(options.get("limit_mm_per_prompt"))
    return MediaLimits(
        max_tiles=_launch_number(
            options, "max_dynamic_patch", checkpoint.max_tiles, checkpoint.min_tiles, MAX_TILES
        ),
        frames=_launch_number(options, "num_frames", DEFAULT_FRAMES, 1, MAX_FRAMES),
        images=_launch_number(limits, "image", IMAGE_LIMIT, 0, 1 << 16),
        videos=_launch_number(limits, "video", VIDEO_LIMIT, 0, 1 << 16),
    )


def _json_object(value: Any) -> Mapping[str, Any]:
    """`limit_mm_per_prompt`, which is text where it comes from a command line."""
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


def _launch_number(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CheckpointError(f"{name} {value!r} is not a whole number from {low} to {high}")
    return value


def request_limits(options: Mapping[str, Any], launched: MediaLimits) -> MediaLimits:
    """The limits of one request, whose `mm_processor_kwargs` may change them.

    Raises:
        RequestError: an unknown one, or one out of its range.
    """
    wanted = options.get("mm_processor_kwargs") or {}
    where = "mm_processor_kwargs"
    ranges = {"max_dynamic_patch": launched.max_tiles, "num_frames": MAX_FRAMES}
    if not isinstance(wanted, Mapping):
        raise RequestError(f"{where} has to be an object with {' or '.join(ranges)}")
    for name, value in wanted.items():
        if name not in ranges:
            raise RequestError(f"{where}.{name} is not supported; use {' or '.join(ranges)}")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= ranges[name]:
            raise RequestError(
                f"{where}.{name} {value!r} is not a whole number from 1 to {ranges[name]}, which "
                "is the most that this model was launched for"
            )
    return replace(
        launched,
        max_tiles=wanted.get("max_dynamic_patch", launched.max_tiles),
        frames=wanted.get("num_frames", launched.frames),
    )
