"""Fetches the images and videos of a request and reads their headers; nothing is decoded yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..checkpoint.config import CheckpointConfig
from ..errors import RequestError
from .data_url import read_inline
from .frame_choice import check_part, count_frames
from .image_file import open_image
from .limits import FETCH_SECONDS, MediaLimits
from .media_item import Media, OpenMedia
from .request_totals import RequestTotals, check_counts
from .tile_and_frame_options import read_tiling
from .tiles import Tiling
from .video_file import open_video

Fetch = Callable[[str, float], bytes]
"""Takes a URL and a deadline by `time.monotonic`, and returns the file; raises for a URL that the
host does not allow."""


def open_media(
    media: Sequence[Media], limits: MediaLimits, checkpoint: CheckpointConfig, fetch: Fetch
) -> list[OpenMedia]:
    """Fetch `media` and read their headers.

    Raises:
        RequestError: options contradict each other, or a file cannot be fetched or read, is not
            allowed, is too large, or has no frame where one is wanted.
    """
    check_counts(media, limits)
    # For all of them, before the first is fetched.
    tilings = [read_tiling(m.where, m.kind, m.options, limits, checkpoint) for m in media]
    deadline = time.monotonic() + FETCH_SECONDS
    found: list[OpenMedia] = []
    together = RequestTotals()
    for item, tiling in zip(media, tilings, strict=True):
        data, elsewhere = _fetch(item, fetch, deadline)
        together.add_file(item.where, len(data), elsewhere)
        found.append(_open(item, data, tiling, limits))
        if item.kind != "video":
            together.add_pixels(item.where, found[-1].file.width * found[-1].file.height)
    return found


def _fetch(media: Media, fetch: Fetch, deadline: float) -> tuple[bytes, bool]:
    """Return a file, and whether it had to be fetched."""
    try:
        inline = read_inline(media.url)
        return (bytes(fetch(media.url, deadline)), True) if inline is None else (inline, False)
    except Exception as error:
        raise RequestError(f"{media.where} cannot be fetched: {error}") from None


def _open(media: Media, data: bytes, tiling: Tiling, limits: MediaLimits) -> OpenMedia:
    if media.kind != "video":
        file = open_image(data, media.where, limits.published_pixels)
        return OpenMedia(media, file, tiling, 1)
    video = open_video(data, media.where)
    check_part(media.options.get("start"), media.options.get("end"), video.seconds, media.where)
    frames = count_frames(media.options, limits.frames, video.seconds)
    return OpenMedia(media, video, tiling, frames)
