"""The images and videos of a chat request: fetched where the host allows, opened, decoded late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

from ..checkpoint.config import CheckpointConfig
from ..errors import RequestError
from .image_file import ImageFile, open_image
from .limits import FETCH_SECONDS, MAX_BYTES, MAX_PIXELS, MediaLimits
from .tiles import count_tiles
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

    `tiling` holds the arguments of `image_to_tiles`; `frames` is 1 for an image.
    """

    media: Media
    file: ImageFile | VideoFile
    tiling: Mapping[str, Any]
    frames: int

    @property
    def tiles(self) -> int:
        """Number of tiles of the image, or of each frame."""
        if isinstance(self.file, VideoFile):
            return 1
        return count_tiles(self.file.image, **self.tiling)

    @property
    def pixels(self) -> int:
        """What decoding it may bring into memory."""
        if isinstance(self.file, VideoFile):
            return self.file.width * self.file.height * self.frames
        return self.file.pixels

    def images(self) -> Iterator[Image.Image]:
        """The image, or the frames one after the other, in RGB.

        Raises:
            RequestError: the file is broken.
        """
        if isinstance(self.file, VideoFile):
            yield from self.file.frames(self.frames)
            return
        yield self.file.decode()
        self.file.image.close()


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
        data = _fetched(item, fetch, deadline)
        found.append(_opened(item, data, limits, checkpoint))
        size, pixels = size + len(data), pixels + found[-1].pixels
        if size > MAX_BYTES or pixels > MAX_PIXELS:
            raise RequestError(
                f"{item.where}: the images and frames of the request have over {MAX_BYTES:,} bytes "
                f"or {MAX_PIXELS:,} pixels together; send fewer or smaller ones"
            )
    return found


def _check_counts(media: Sequence[Media], limits: MediaLimits) -> None:
    for kind, most in (("image", limits.images), ("video", limits.videos)):
        found = [item for item in media if item.kind == kind]
        if len(found) > most:
            raise RequestError(
                f"{found[most].where}: the request has {len(found)} {kind}s, but at most {most} "
                "are allowed; send fewer, or launch the model with a higher limit_mm_per_prompt"
            )


def _fetched(media: Media, fetch: Fetch, deadline: float) -> bytes:
    try:
        return bytes(fetch(media.url, deadline))
    except Exception as error:
        raise RequestError(f"{media.where} cannot be fetched: {error}") from None


def _opened(
    media: Media, data: bytes, limits: MediaLimits, checkpoint: CheckpointConfig
) -> OpenMedia:
    video = media.kind == "video"
    most = 1 if video or media.detail == "low" else limits.max_tiles
    tiling = {
        "image_size": checkpoint.tile_size,
        "min_tiles": min(checkpoint.min_tiles, most),
        "max_tiles": most,
        "use_thumbnail": checkpoint.use_thumbnail,
    }
    if video:
        return OpenMedia(media, open_video(data, media.where), tiling, limits.frames)
    return OpenMedia(media, open_image(data, media.where), tiling, 1)
