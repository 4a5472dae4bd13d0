"""Reads the options that a request has for its images and videos, and those of each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.tile_config import MAX_TILES
from ..errors import RequestError
from .limits import MAX_FRAMES, MediaLimits
from .tiles import Tiling

DETAILS: Mapping[str, int | None] = {"auto": None, "low": 1, "medium": 6, "high": 12}
"""OpenAI's `detail` → the most tiles of an image; `auto` keeps the default."""
MAX_FRAMES_A_SECOND = 240
MAX_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers of some types from `low` to `high`."""

    low: float
    high: float
    kinds: tuple[type, ...] = (int,)

    def accepts(self, value: Any) -> bool:
        number = isinstance(value, self.kinds) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def __str__(self) -> str:
        kind = "whole number" if self.kinds == (int,) else "number"
        return f"a {kind} from {self.low} to {self.high}"


_NUMBER = (int, float)
_RANGES = {
    "max_dynamic_patch": _Range(1, MAX_TILES),
    "min_dynamic_patch": _Range(1, MAX_TILES),
    "num_frames": _Range(1, MAX_FRAMES),
    "fps": _Range(0.001, MAX_FRAMES_A_SECOND, _NUMBER),
    "start": _Range(0, MAX_SECONDS, _NUMBER),
    "end": _Range(0, MAX_SECONDS, _NUMBER),
}
_TILES = ("max_dynamic_patch", "min_dynamic_patch")
_FLAGS = ("use_thumbnail", "dynamic_image_size", "fit")
REQUEST_OPTIONS = (*_TILES, "num_frames", *_FLAGS)
"""The keys of `mm_processor_kwargs`."""
MEDIA_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "image": (*_TILES, "detail"),
    "frame": (*_TILES, "detail"),
    "video": ("num_frames", "fps", "start", "end", *_TILES, "detail"),
}
"""Kind of media → the keys that its object may have beside the URL."""
_CONTRADICTIONS = {"tiles": ("detail", "max_dynamic_patch"), "frames": ("fps", "num_frames")}
"""What two options both say how many of."""


def read_values(where: str, values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options in `values` that are not null.

    Args:
        where: the object that has them, for messages.
        names: the options that it may have.

    Raises:
        RequestError: an option is not among `names`, out of its range, or contradicts another.
    """
    found = {name: value for name, value in values.items() if value is not None}
    for name, value in found.items():
        if name not in names:
            raise RequestError(f"{where}.{name} is not supported; use {_join_or(names)}")
        if name == "detail":
            if not isinstance(value, str) or value not in DETAILS:
                raise RequestError(f"{where}.detail {value!r:.40} is not one of {_join(DETAILS)}")
        elif name in _FLAGS:
            if not isinstance(value, bool):
                raise RequestError(f"{where}.{name} {value!r:.40} is not true or false")
        elif not _RANGES[name].accepts(value):
            raise RequestError(f"{where}.{name} {value!r:.40} is not {_RANGES[name]}")
    _check_contradictions(where, found)
    return found


def _check_contradictions(where: str, wanted: Mapping[str, Any]) -> None:
    for what, (one, other) in _CONTRADICTIONS.items():
        if wanted.get(one, "auto") != "auto" and other in wanted:
            raise RequestError(
                f"{where}: {one} and {other} both say how many {what}; give only one"
            )


def _join(names: Any) -> str:
    return ", ".join(names)


def _join_or(names: tuple[str, ...]) -> str:
    return f"{_join(names[:-1])} or {names[-1]}"


def read_request_limits(options: Mapping[str, Any], launched: MediaLimits) -> MediaLimits:
    """Return the limits of one request: those of the launch, changed by `mm_processor_kwargs`.

    Raises:
        RequestError: one of its options is unknown, out of its range, or contradicts another.
    """
    where = "mm_processor_kwargs"
    values = options.get(where) or {}
    if not isinstance(values, Mapping):
        raise RequestError(f"{where} has to be an object with {_join_or(REQUEST_OPTIONS)}")
    wanted = read_values(where, values, REQUEST_OPTIONS)
    if wanted.pop("dynamic_image_size", True) is False:
        for name in _TILES:
            if wanted.setdefault(name, 1) != 1:
                raise RequestError(
                    f"{where}.{name} {wanted[name]} contradicts dynamic_image_size false, which "
                    "is one tile; give only one of them"
                )
    most = _check_max_tiles(where, wanted.get("max_dynamic_patch", launched.max_tiles), launched)
    least = wanted.get("min_dynamic_patch", launched.min_tiles)
    _check_order(where, least, most)
    return replace(
        launched,
        max_tiles=most,
        min_tiles=least,
        frames=wanted.get("num_frames", launched.frames),
        use_thumbnail=wanted.get("use_thumbnail", launched.use_thumbnail),
        fit=wanted.get("fit", False),
    )


def read_tiling(
    where: str,
    kind: str,
    wanted: Mapping[str, Any],
    limits: MediaLimits,
    checkpoint: CheckpointConfig,
) -> Tiling:
    """Return how an image or the frames of a video are cut into tiles.

    Args:
        where: the part of the request, for messages.
        kind: a key of `MEDIA_OPTIONS`.
        wanted: its own options, which override those of the request.
        limits: of the request.

    Raises:
        RequestError: options contradict each other, or exceed what the model was launched for.
    """
    most = DETAILS[wanted.get("detail", "auto")]
    # The model was trained with one tile a frame.
    default = limits.max_tiles if kind == "image" else 1
    most = default if most is None else min(most, limits.max_tiles_limit)
    most = _check_max_tiles(where, wanted.get("max_dynamic_patch", most), limits)
    least = wanted.get("min_dynamic_patch", limits.min_tiles)
    if least is None or (kind != "image" and "min_dynamic_patch" not in wanted):
        least = min(checkpoint.min_tiles, most)
    elif "min_dynamic_patch" in wanted:
        _check_order(where, least, most)
    thumbnail = checkpoint.use_thumbnail if limits.use_thumbnail is None else limits.use_thumbnail
    return Tiling(checkpoint.tile_size, min(least, most), most, thumbnail)


def _check_max_tiles(where: str, most: int, limits: MediaLimits) -> int:
    if most > limits.max_tiles_limit:
        raise RequestError(
            f"{where}.max_dynamic_patch {most} is not a whole number from 1 to "
            f"{limits.max_tiles_limit}, which is the most that this model was launched for"
        )
    return most


def _check_order(where: str, least: int | None, most: int) -> None:
    if least is not None and least > most:
        raise RequestError(
            f"{where}.min_dynamic_patch {least} is more than the {most} tiles that are allowed; "
            "give a smaller one, or a larger max_dynamic_patch"
        )
