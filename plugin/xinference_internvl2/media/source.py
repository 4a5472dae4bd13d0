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
from .limits import (
    FETCH_SECONDS,
    MAX_BYTES,
    MAX_FETCHED_BYTES,
    MAX_PIXELS_TOGETHER,
    MediaLimits,
)
from .request_options import read_tiling
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
    _check_counts(media, limits)
    deadline = time.monotonic() + FETCH_SECONDS
    found: list[OpenMedia] = []
    size = fetched = pixels = 0
    for item in media:
        data, elsewhere = _fetch(item, fetch, deadline)
        size, fetched = size + len(data), fetched + len(data) * elsewhere
        if size > MAX_BYTES or fetched > MAX_FETCHED_BYTES:
            most = MAX_FETCHED_BYTES if elsewhere else MAX_BYTES
            raise _too_large_error(item.where, f"{most:,} bytes")
        found.append(_open(item, data, limits, checkpoint))
        if item.kind != "video":
            pixels += found[-1].file.width * found[-1].file.height
        if pixels > MAX_PIXELS_TOGETHER:
            raise _too_large_error(item.where, f"{MAX_PIXELS_TOGETHER:,} pixels")
    return found


def _too_large_error(where: str, bound: str) -> RequestError:
    return RequestError(
        f"{where}: the images and videos of the request have over {bound} together; "
        "send fewer or smaller ones"
    )


def _check_counts(media: Sequence[Media], limits: MediaLimits) -> None:
    for kind, most in (("image", limits.images), ("video", limits.videos)):
        # A list of frames is a video too.
        counted = {kind, "frame"} if kind == "video" else {kind}
        found = [item for item in media if item.kind in counted and item.number < 2]
        if len(found) > most:
            raise RequestError(
                f"{found[most].where}: the request has {len(found)} {kind}s, but at most {most} "
                "are allowed; send fewer, or launch the model with a higher limit_mm_per_prompt"
            )


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
