"""Chooses the frames of a video: how many are shown, and which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from .limits import MAX_FRAMES


def count_frames(wanted: Mapping[str, Any], default: int, seconds: float, where: str) -> int:
    """Return how many frames of a video are shown, at most MAX_FRAMES.

    Args:
        wanted: the video's own options.
        default: of a video that does not say.
        seconds: the duration of the video.
        where: the part of the request, for messages.

    Raises:
        RequestError: two options say how many.
    """
    if "fps" not in wanted:
        return int(wanted.get("num_frames", default))
    if "num_frames" in wanted:
        raise RequestError(f"{where}: fps and num_frames both say how many frames; give only one")
    end = min(wanted.get("end", seconds), seconds)
    count = round((end - wanted.get("start", 0)) * float(wanted["fps"]))
    return int(min(max(count, 1), MAX_FRAMES))


def frame_indices(
    total: int,
    count: int,
    rate: float = 0,
    start: float | None = None,
    end: float | None = None,
) -> list[int]:
    """Return the indices of the `count` frames, of `total`, that the published code selects.

    Args:
        rate: frames a second; needed with `start` or `end`.
        start, end: in seconds; None stands for the beginning and the end of the video.

    Source: `get_index` of the model cards published with InternVL2.
    """
    first = 0 if start is None else max(round(start * rate), 0)
    last = total - 1 if end is None else min(round(end * rate), total - 1)
    step = (last - first) / count
    # `round` is to even, as numpy's is.
    return [int(first + step / 2 + round(step * index)) for index in range(count)]
