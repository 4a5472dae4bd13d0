"""What a request, and each of its images and videos, may ask for: options, ranges, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..checkpoint.config import CheckpointConfig
from ..errors import RequestError
from .limits import MAX_FRAMES, MAX_TILES, MediaLimits
from .tiles import Tiling

DETAILS: Mapping[str, int | None] = {"auto": None, "low": 1, "medium": 6, "high": 12}
"""OpenAI's `detail` → the most tiles of an image; `auto` leaves it as it is."""
MAX_FRAMES_A_SECOND = 240
MAX_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class _Range:
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
OF_REQUEST = (*_TILES, "num_frames", *_FLAGS)
"""What `mm_processor_kwargs` may have."""
OF_MEDIA: Mapping[str, tuple[str, ...]] = {
    "image": (*_TILES, "detail"),
    "frame": (*_TILES, "detail"),
    "video": ("num_frames", "fps", "start", "end", *_TILES, "detail"),
}
"""What the object of an image, a list of frames, or a video may have beside its URL."""


def read_values(where: str, values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options in `values` that are set, checked by themselves.

    Raises:
        RequestError: one that is not among `names`, or is out of its range.
    """
    found = {name: value for name, value in values.items() if value is not None}
    for name, value in found.items():
        if name not in names:
            raise RequestError(f"{where}.{name} is not supported; use {_either(names)}")
        if name == "detail":
            if not isinstance(value, str) or value not in DETAILS:
                raise RequestError(f"{where}.detail {value!r:.40} is not one of {_list(DETAILS)}")
        elif name in _FLAGS:
            if not isinstance(value, bool):
                raise RequestError(f"{where}.{name} {value!r:.40} is not true or false")
        elif not _RANGES[name].accepts(value):
            raise RequestError(f"{where}.{name} {value!r:.40} is not {_RANGES[name]}")
    return found


def _list(names: Any) -> str:
    return ", ".join(names)


def _either(names: tuple[str, ...]) -> str:
    return f"{_list(names[:-1])} or {names[-1]}"


def request_limits(options: Mapping[str, Any], launched: MediaLimits) -> MediaLimits:
    """Return the limits of one request, whose `mm_processor_kwargs` may change them.

    Raises:
        RequestError: an unknown one, or one out of its range.
    """
    where = "mm_processor_kwargs"
    values = options.get(where) or {}
    if not isinstance(values, Mapping):
        raise RequestError(f"{where} has to be an object with {_either(OF_REQUEST)}")
    wanted = read_values(where, values, OF_REQUEST)
    if wanted.pop("dynamic_image_size", True) is False:
        for name in _TILES:
            if wanted.setdefault(name, 1) != 1:
                raise RequestError(
                    f"{where}.{name} {wanted[name]} contradicts dynamic_image_size false, which "
                    "is one tile; give only one of them"
                )
    most = _check_most(where, wanted.get("max_dynamic_patch", launched.max_tiles), launched)
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


def media_tiling(
    where: str,
    kind: str,
    wanted: Mapping[str, Any],
    limits: MediaLimits,
    checkpoint: CheckpointConfig,
) -> Tiling:
    """Return how an image or the frames of a video are cut, by its own options or the request's.

    Raises:
        RequestError: options that contradict each other, or what the model was launched for.
    """
    most = DETAILS[wanted.get("detail", "auto")]
    if most is not None and "max_dynamic_patch" in wanted:
        raise RequestError(
            f"{where}: detail and max_dynamic_patch both say how many tiles; give only one"
        )
    # A frame is one tile as the model was trained.
    default = limits.max_tiles if kind == "image" else 1
    most = default if most is None else min(most, limits.most_tiles)
    most = _check_most(where, wanted.get("max_dynamic_patch", most), limits)
    least = wanted.get("min_dynamic_patch", limits.min_tiles)
    if least is None or (kind != "image" and "min_dynamic_patch" not in wanted):
        least = min(checkpoint.min_tiles, most)
    elif "min_dynamic_patch" in wanted:
        _check_order(where, least, most)
    thumbnail = checkpoint.use_thumbnail if limits.use_thumbnail is None else limits.use_thumbnail
    return Tiling(checkpoint.tile_size, min(least, most), most, thumbnail)


def _check_most(where: str, most: int, limits: MediaLimits) -> int:
    if most > limits.most_tiles:
        raise RequestError(
            f"{where}.max_dynamic_patch {most} is not a whole number from 1 to "
            f"{limits.most_tiles}, which is the most that this model was launched for"
        )
    return most


def _check_order(where: str, least: int | None, most: int) -> None:
    if least is not None and least > most:
        raise RequestError(
            f"{where}.min_dynamic_patch {least} is more than the {most} tiles that are allowed; "
            "give a smaller one, or a larger max_dynamic_patch"
        )
