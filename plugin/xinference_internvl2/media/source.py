"""Fetches the images and videos of a request and reads their headers; nothing is decoded yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checkpoint.config import CheckpointConfig
from ..errors import RequestError
from .data_url import read_inline
from .frame_choice import count_frames
from .image_file import ImageFile, open_image
from .limits import FETCH_SECONDS, MediaLimits
from .request_options import read_tiling
from .request_totals import RequestTotals, check_counts
from .tiles import Tiling
from .video import VideoFile, open_video

Fetch = Callable[[str, float], bytes]
"""Takes a URL and a deadline by `time.monotonic`, and returns the file; raises for a URL that the
host does not allow."""


MediaKind = Literal["image", "frame", "video"]


@dataclass(frozen=True, slots=True)
class Media:
    """An image or video of a request, or an image that is a frame of a video.

    Attributes:
        where: the part of the request, for messages to the client.
        options: its own options, by the names in `request_options.MEDIA_OPTIONS`.
        number: of a frame in its list, from 1; 0 for others.
    """

    kind: MediaKind
    url: str
    where: str
    options: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0

    def count_frames(self, default: int) -> int:
        """Return how many frames of a video the request asks for, or `default`."""
        return int(self.options.get("num_frames", default))


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """An image or a video whose header has been read, and how it is cut into tiles.

    Attributes:
        frames: how many frames of a video are shown; 1 for an image.
    """

    media: Media
    file: ImageFile | VideoFile
    tiling: Tiling
    frames: int

    @property
    def tiles(self) -> int:
        """The number of tiles of the image, or of each frame, thumbnail included."""
        return self.tiling.count(self.file.width, self.file.height)

    def cut(self) -> list[NDArray[np.uint8]]:
        """Decode it and return an array (tiles, 3, image_size, image_size) for each image or frame.

        Raises:
            RequestError: the file is broken, or takes too much time or memory.
        """
        if isinstance(self.file, VideoFile):
            bounds = self.media.options.get("start"), self.media.options.get("end")
            return self.file.cut(self.frames, self.tiling, *bounds)
        return [self.file.cut(self.tiling)]


def open_media(
    media: Sequence[Media], limits: MediaLimits, checkpoint: CheckpointConfig, fetch: Fetch
) -> list[OpenMedia]:
    """Fetch `media` and read their headers.

    Raises:
        RequestError: a file cannot be fetched or read, is not allowed, or is too large.
    """
    check_counts(media, limits)
    deadline = time.monotonic() + FETCH_SECONDS
    found: list[OpenMedia] = []
    together = RequestTotals()
    for item in media:
        data, elsewhere = _fetch(item, fetch, deadline)
        together.add_file(item.where, len(data), elsewhere)
        found.append(_open(item, data, limits, checkpoint))
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


def _open(
    media: Media, data: bytes, limits: MediaLimits, checkpoint: CheckpointConfig
) -> OpenMedia:
    tiling = read_tiling(media.where, media.kind, media.options, limits, checkpoint)
    if media.kind != "video":
        file = open_image(data, media.where, limits.published_pixels)
        return OpenMedia(media, file, tiling, 1)
    video = open_video(data, media.where)
    frames = count_frames(media.options, limits.frames, video.seconds, media.where)
    return OpenMedia(media, video, tiling, frames)
