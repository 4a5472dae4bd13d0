"""The images and videos of a chat request: fetched where the host allows, opened, decoded late."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from .config import CheckpointConfig
from .errors import CheckpointError, RequestError
from .images import MAX_PIXELS, ImageFile, count_tiles, open_image
from .prompt import DEFAULT_FRAMES, Media
from .video import VideoFile, open_video

IMAGE_LIMIT, VIDEO_LIMIT, MAX_FRAMES = 16, 4, 64
MAX_TILES = 64
MAX_BYTES = 256 * 1024 * 1024
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
    media: Sequence[Media], limits: MediaLimits, checkpoint: CheckpointConfig
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
        data = _fetch(item, deadline)
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


def _fetch(media: Media, deadline: float) -> bytes:
    from xinference.model.llm.media import load_media_bytes

    try:
        # The host refuses what it does not allow, and bounds time and size.
        return bytes(load_media_bytes(media.url, deadline))
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
