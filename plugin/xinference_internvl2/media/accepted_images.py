"""Which images are accepted: their formats, pixels, scans and frames; others are refused.

Their header decides, before a pixel is decoded. The numbers are those of `limits`.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image, features

from ..errors import RequestError
from .limits import MAX_PASSES, MAX_PIXELS, MAX_SIDE

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_START_OF_SCAN = b"\xff\xda"


def open_accepted(data: bytes, where: str) -> Image.Image:
    """Read the header of an image file that is accepted; of an animation the first frame counts.

    Raises:
        RequestError: it is in none of the formats, or has more pixels or scans than are allowed.
    """
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(BytesIO(data), formats=readable_formats())
    except MemoryError:
        raise
    except Exception:
        raise unreadable_error(data, where) from None
    width, height = image.size
    if max(width, height) > MAX_SIDE:
        raise RequestError(
            f"{where} has {width}×{height} pixels; send an image whose sides have at most "
            f"{MAX_SIDE:,}"
        )
    passes = count_passes(image, data)
    if width * height > MAX_PIXELS * (4 if image.format == "JPEG" and passes == 1 else 1):
        raise RequestError(
            f"{where} has {width}×{height} pixels; send an image of at most {MAX_PIXELS:,} pixels"
        )
    if width * height * passes > MAX_PASSES:
        raise RequestError(
            f"{where} is a JPEG of {width}×{height} pixels in {passes} scans; "
            "save it as a baseline JPEG"
        )
    return image


def readable_formats() -> tuple[str, ...]:
    """Return the formats that Pillow can read here."""
    return (*FORMATS, "AVIF") if features.check("avif") else FORMATS


def count_passes(image: Image.Image, data: bytes) -> int:
    """Return how often a decoder visits every pixel: once for each scan of a progressive JPEG."""
    if image.format != "JPEG" or "progressive" not in image.info:
        return 1
    return max(data.count(_START_OF_SCAN), 1)


def unreadable_error(data: bytes, where: str) -> RequestError:
    """Return the error for a file that is no image, or a damaged one."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return RequestError(f"{where} is a HEIC image, which cannot be read; convert it to JPEG")
    return RequestError(
        f"{where} is not an image that can be read; send a {', '.join(readable_formats())} file"
    )
