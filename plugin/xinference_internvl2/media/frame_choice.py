"""Chooses the frames of a video: from which part, how many, and which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from .limits import MAX_FRAMES


def check_part(start: float | None, end: float | None, seconds: float, where: str) -> None:
    """Check that a video of so many `seconds` has a frame from second `start` to second `end`.

    Raises:
        RequestError: it has none.
    """
    first = start or 0
    if first >= seconds or (end is not None and first >= end):
        raise RequestError(
            f"{where}: from second {first} to {seconds if end is None else end} there is no frame "
            f"in a video of {seconds:.3g} s; give another start or end"
        )


def count_frames(wanted: Mapping[str, Any], default: int, seconds: float) -> int:
    """Return how many frames of a video are shown, at most MAX_FRAMES.

    Args:
        wanted: the video's own options.
        default: of a video that does not say.
        seconds: the duration of the video.
    """
    if "fps" not in wanted:
        return int(wanted.get("num_frames", default))
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
