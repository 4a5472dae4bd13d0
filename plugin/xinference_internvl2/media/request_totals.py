"""What the images and videos of one request come to together, and where that is too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RequestError
from .limits import MAX_BYTES, MAX_FETCHED_BYTES, MAX_PIXELS_TOGETHER, MediaLimits
from .media_item import Media


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
class RequestTotals:
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
