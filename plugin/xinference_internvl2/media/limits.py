"""What bounds the media of a request; `request_totals` counts them together."""

from __future__ import annotations

from dataclasses import dataclass

# Changed by `limit_mm_per_prompt` of a launch.
MAX_IMAGES, MAX_VIDEOS = 16, 4
# `num_frames` of a launch, a request or a video, up to MAX_FRAMES.
DEFAULT_FRAMES, MAX_FRAMES = 8, 64
# How many requests may wait for memory: `max_waiting_requests` of a launch.
DEFAULT_WAITING = 128
# The memory itself, an eighth of the machine's within these bounds: its `media_memory`, in MB.
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
MAX_WALL_SECONDS = 60
# Processes for small images, and as many for others.
MAX_IMAGE_DECODERS = 2
SMALL_FILE, SMALL_COST = 1 << 20, 4_000_000

# A process that decodes a video.
MAX_VIDEO_SECONDS = 30
MAX_VIDEO_CPU_SECONDS = 60
MAX_HEADER_CPU_SECONDS = 10
MAX_VIDEO_MEMORY = 2 << 30
# Processes for frames, and as many for headers.
MAX_VIDEO_DECODERS = 2
MAX_FRAME_PIXELS = 8192 * 4320
MAX_STREAMS = 32


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_tiles_limit", max(self.max_tiles_limit, self.max_tiles))
