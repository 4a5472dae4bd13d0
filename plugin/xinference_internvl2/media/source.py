"""The images and videos of a chat request: fetched in order and opened, decoded late."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..checkpoint.config import CheckpointConfig
from ..errors import RequestError
from .image_file import ImageFile, open_image
from .limits import FETCH_SECONDS, MAX_BYTES, MAX_PIXELS_TOGETHER, MediaLimits
from .tiles import Tiling
from .video import VideoFile, open_video

Fetch = Callable[[str, float], bytes]
"""Returns what is at a URL until a deadline (of `time.monotonic`), and refuses URLs that are not
allowed; both are rules of the host."""


@dataclass(frozen=True, slots=True)
class Media:
    """One image or video of a request.

    `where` names the part of the request for messages to the client; `detail` is the client's
    `low`, `high` or `auto` for an image, if given.
    """

    kind: Literal["image", "video"]
    url: str
    where: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """An image or a video whose header has been read, and how it is cut into tiles.

    `frames` is 1 for an image.
    """

    media: Media
    file: ImageFile | VideoFile
    tiling: Tiling
    frames: int

    @property
    def tiles(self) -> int:
        """Number of tiles of the image, or of each frame."""
        return self.tiling.count(self.file.width, self.file.height)

    def cut(self) -> list[NDArray[np.uint8]]:
        """Decode it and return the tiles of the image, or of each frame:
        (tiles, 3, image_size, image_size).

        Raises:
            RequestError: the file is broken, or takes too much time or memory.
        """
        if isinstance(self.file, VideoFile):
            return self.file.cut(self.frames, self.tiling)
        return [self.file.cut(self.tiling)]


def open_media(
    media: Sequence[Media], limits: MediaLimits, checkpoint: CheckpointConfig, fetch: Fetch
) -> list[OpenMedia]:
    """Fetch `media` and read their headers; nothing is decoded.

    Raises:
        RequestError: one that cannot be fetched or read, is not allowed, or is too large.
    """
    _check_counts(media, limits)
    deadline = time.monotonic() + FETCH_SECONDS
    found: list[OpenMedia] = []
    size = pixels = 0
    for item in media:
        data = _fetch(item, fetch, deadline)
        size += len(data)
        if size > MAX_BYTES:
            raise _too_much(item.where, f"{MAX_BYTES:,} bytes")
        found.append(_open(item, data, limits, checkpoint))
        if item.kind == "image":
            pixels += found[-1].file.width * found[-1].file.height
        if pixels > MAX_PIXELS_TOGETHER:
            raise _too_much(item.where, f"{MAX_PIXELS_TOGETHER:,} pixels")
    return found


def _too_much(where: str, bound: str) -> RequestError:
    return RequestError(
        f"{where}: the images and videos of the request have over {bound} together; "
        "send fewer or smaller ones"
    )


def _check_counts(media: Sequence[Media], limits: MediaLimits) -> None:
    for kind, most in (("image", limits.images), ("video", limits.videos)):
        found = [item for item in media if item.kind == kind]
        if len(found) > most:
            raise RequestError(
                f"{found[most].where}: the request has {len(found)} {kind}s, but at most {most} "
                "are allowed; send fewer, or launch the model with a higher limit_mm_per_prompt"
            )


def _fetch(media: Media, fetch: Fetch, deadline: float) -> bytes:
    try:
        return bytes(fetch(media.url, deadline))
    except Exception as error:
        raise RequestError(f"{media.where} cannot be fetched: {error}") from None


def _open(
    media: Media, data: bytes, limits: MediaLimits, checkpoint: CheckpointConfig
) -> OpenMedia:
    video = media.kind == "video"
    most = 1 if video or media.detail == "low" else limits.max_tiles
    least = min(checkpoint.min_tiles, most)
    tiling = Tiling(checkpoint.tile_size, least, most, checkpoint.use_thumbnail)
    if video:
        return OpenMedia(media, open_video(data, media.where), tiling, limits.frames)
    file = open_image(data, media.where, limits.published_pixels)
    return OpenMedia(media, file, tiling, 1)
