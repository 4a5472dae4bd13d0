"""Which videos are accepted: their containers, codecs and pixels; others are refused.

The decoder and the process that starts it both read this, and only the former has FFmpeg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RequestError
from .limits import MAX_FRAME_PIXELS

if TYPE_CHECKING:
    from av.video.stream import VideoStream

# FFmpeg's name of a container → the one that people know.
CONTAINERS = {
    "mov": "MP4",
    "matroska": "WebM",
    "avi": "AVI",
    "mpegts": "MPEG-TS",
    "gif": "GIF",
}
# FFmpeg's name of a decoder → the codec that people know.
CODECS = {
    "h264": "H.264",
    "hevc": "H.265",
    "libdav1d": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg4": "MPEG-4",
    "mpeg2video": "MPEG-2",
    "mpeg1video": "MPEG-1",
    "mjpeg": "Motion JPEG",
    "gif": "GIF",
}
WHITELISTS = {
    "format_whitelist": ",".join(CONTAINERS),
    "codec_whitelist": ",".join(CODECS),
}
"""The options with which FFmpeg opens nothing but these."""


def require_accepted(stream: VideoStream | None, where: str) -> VideoStream:
    """Return the video stream of a file if its codec and its size are accepted.

    Raises:
        RequestError: they are not, or there is no such stream.
    """
    if stream is None:
        raise RequestError(f"{where} has no video stream; send a video")
    codec = stream.codec_context
    if codec is None or codec.name not in CODECS:
        raise RequestError(
            f"{where} is encoded with {codec.name if codec else 'an unknown codec'}; "
            f"encode it with one of {', '.join(CODECS.values())}"
        )
    if codec.width < 1 or codec.height < 1:
        raise unreadable_error(where)
    if codec.width * codec.height > MAX_FRAME_PIXELS:
        raise RequestError(
            f"{where} has {codec.width}×{codec.height} pixels a frame; "
            f"send a video of at most {MAX_FRAME_PIXELS:,}"
        )
    return stream


def unreadable_error(where: str) -> RequestError:
    """Return the error for a video that cannot be decoded."""
    return RequestError(
        f"{where} is not a video that can be read; send a file in one of the formats "
        f"{', '.join(CONTAINERS.values())}"
    )
