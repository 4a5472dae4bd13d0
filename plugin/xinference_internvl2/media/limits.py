"""The bounds of a request's media, and what its images and videos may come to together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..system_memory import memory

if TYPE_CHECKING:
    from .source import Media

# Changed by `limit_mm_per_prompt` of a launch.
MAX_IMAGES, MAX_VIDEOS = 16, 4
# `num_frames` of a launch, a request or a video, up to MAX_FRAMES.
DEFAULT_FRAMES, MAX_FRAMES = 8, 64
# The largest `max_dynamic_patch` of a launch, by default that of the checkpoint, and the largest
# `max_dynamic_patch_limit`, by default the former.
MAX_TILES = 64
# How many requests may wait for memory: `max_waiting_requests` of a launch. The memory itself is
# its `media_memory`, in MB.
DEFAULT_WAITING = 128
MIN_MEMORY, MAX_MEMORY = 512 << 20, 8 << 30

# The files of one request together, and the time to fetch them all.
MAX_BYTES = 256 << 20
# Those files of one request that have to be fetched.
MAX_FETCHED_BYTES = 128 << 20
FETCH_SECONDS = 60

# One image. A JPEG may have four times the pixels, since a large one is decoded at half its size.
MAX_SIDE = 65_535
MAX_PIXELS = 150_000_000
# Pixels times the scans of a progressive JPEG.
MAX_PASSES = 1_000_000_000
# A JPEG of more pixels than this is decoded smaller, which is faster, and not exact to the bit.
DRAFT_PIXELS = 50_000_000
# All images of one request together.
MAX_PIXELS_TOGETHER = 400_000_000

# For one image: the processor time, memory and wall-clock time of the process that decodes it.
MAX_IMAGE_SECONDS = 5
MAX_IMAGE_MEMORY = 1 << 30
# The most that decoding takes: 5 for most formats, 16 for WebP.
BYTES_PER_PIXEL = 16
MAX_WALL_SECONDS = 60
# Processes for small images, and as many for others.
DECODERS = 2
SMALL_FILE, SMALL_COST = 1 << 20, 4_000_000

# A process that decodes a video.
MAX_VIDEO_SECONDS = 30
MAX_VIDEO_CPU_SECONDS = 60
MAX_HEADER_CPU_SECONDS = 10
MAX_VIDEO_MEMORY = 2 << 30
# Processes for frames, and as many for headers.
MAX_VIDEO_DECODERS = 2
MAX_FRAME_PIXELS = 8192 * 4320
# What decoding takes for every pixel of a frame, reference frames and threads included.
BYTES_PER_FRAME_PIXEL = 40
MAX_STREAMS = 32


def default_memory() -> int:
    """Return an eighth of the machine's memory within bounds, in bytes and whole MB."""
    megabytes = min(max(memory().total // 8, MIN_MEMORY), MAX_MEMORY) >> 20
    return megabytes << 20


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What a launch allows a request, and what a request gets by default.

    Attributes:
        max_tiles: the most tiles in the grid of an image that does not ask for more.
        frames: how many frames of a video are shown.
        images, videos: how many a request may have.
        max_tiles_limit: the most tiles that an image may ask for.
        min_tiles: the fewest tiles in the grid of an image; None takes the checkpoint's.
        use_thumbnail: whether a thumbnail is added; None takes the checkpoint's.
        published_pixels: whether images are decoded as by the published preprocessing: not turned
            upright, not laid on white, not scaled from their real depth.
        fit: whether tiles are shared among the images so that prompt and answer fit the context.
        memory: bytes that all requests together may hold before they are answered.
        waiting: how many requests may wait for that memory.
    """

    max_tiles: int
    frames: int = DEFAULT_FRAMES
    images: int = MAX_IMAGES
    videos: int = MAX_VIDEOS
    max_tiles_limit: int = 0
    min_tiles: int | None = None
    use_thumbnail: bool | None = None
    published_pixels: bool = False
    fit: bool = False
    memory: int = field(default_factory=default_memory)
    waiting: int = DEFAULT_WAITING

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_tiles_limit", max(self.max_tiles_limit, self.max_tiles))


def check_counts(media: Sequence[Media], limits: MediaLimits) -> None:
    """Check that a request has no more images and videos than it may.

    Raises:
        RequestError: it has more; the message names the first that is too much.
    """
    for kind, most in (("image", limits.images), ("video", limits.videos)):
        # A list of frames is a video too.
        counted = {kind, "frame"} if kind == "video" else {kind}
        found = [item for item in media if item.kind in counted and item.number < 2]
        if len(found) > most:
            raise RequestError(
                f"{found[most].where}: the request has {len(found)} {kind}s, but at most {most} "
                "are allowed; send fewer, or launch the model with a higher limit_mm_per_prompt"
            )


@dataclass(slots=True)
class Together:
    """What the files of one request come to so far: bytes, those of them fetched, and pixels."""

    bytes: int = 0
    fetched: int = 0
    pixels: int = 0

    def add_file(self, where: str, size: int, elsewhere: bool) -> None:
        """Add the bytes of a file, which may have been `elsewhere`.

        Raises:
            RequestError: they are too many.
        """
        self.bytes, self.fetched = self.bytes + size, self.fetched + size * elsewhere
        if self.bytes > MAX_BYTES or self.fetched > MAX_FETCHED_BYTES:
            most = MAX_FETCHED_BYTES if elsewhere else MAX_BYTES
            raise _too_large_error(where, f"{most:,} bytes")

    def add_pixels(self, where: str, pixels: int) -> None:
        """Add the pixels of an image.

        Raises:
            RequestError: they are too many.
        """
        self.pixels += pixels
        if self.pixels > MAX_PIXELS_TOGETHER:
            raise _too_large_error(where, f"{MAX_PIXELS_TOGETHER:,} pixels")


def _too_large_error(where: str, bound: str) -> RequestError:
    return RequestError(
        f"{where}: the images and videos of the request have over {bound} together; "
        "send fewer or smaller ones"
    )
