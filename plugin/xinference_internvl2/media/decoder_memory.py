"""How much memory the decoder of an image or a video may take, estimated from its header.

The budget counts it before a request is decoded. The bounds are those of `limits`.
"""

from __future__ import annotations

from .limits import MAX_IMAGE_MEMORY, MAX_VIDEO_MEMORY

BYTES_PER_PIXEL = 16
"""The most that decoding an image takes: 5 for most formats, 16 for WebP."""
BYTES_PER_FRAME_PIXEL = 40
"""What decoding a video takes for every pixel of a frame, reference frames and threads included."""


def estimate_image_memory(width: int, height: int) -> int:
    """Return the bytes that decoding an image of so many pixels may take."""
    return min(width * height * BYTES_PER_PIXEL, MAX_IMAGE_MEMORY)


def estimate_video_memory(width: int, height: int) -> int:
    """Return the bytes that decoding a video with frames of so many pixels may take."""
    return min(width * height * BYTES_PER_FRAME_PIXEL, MAX_VIDEO_MEMORY)
