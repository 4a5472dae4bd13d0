"""An image file of a request: its header is checked first, its pixels are decoded late."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from ..errors import RequestError
from .limits import MAX_PIXELS, MAX_SCANS

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_START_OF_SCAN = b"\xff\xda"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image of a request whose header has been read; its pixels are decoded when asked for.

    `where` is the part of the request it came from, for messages.
    """

    image: Image.Image
    where: str

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height

    def decode(self) -> Image.Image:
        """The image in RGB; an alpha channel is dropped and the EXIF orientation ignored, as in
        the preprocessing published with InternVL2.

        Raises:
            RequestError: the file is broken.
        """
        # Decoders of broken files raise whatever they run into.
        try:
            image = self.image.convert("RGB")
        except Exception:
            raise _unreadable(self.where) from None
        # An engine may turn an image by what its metadata say, or take it for another one.
        image.info.clear()
        return image


def open_image(data: bytes, where: str) -> ImageFile:
    """Read the header of an image file; of an animation the first frame counts.

    Raises:
        RequestError: not an image in one of FORMATS, of more than MAX_PIXELS, or a JPEG that
            takes more than MAX_SCANS passes to decode.
    """
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise RequestError(
            f"{where} has over {MAX_PIXELS:,} pixels; send a smaller image"
        ) from None
    except Exception:
        raise _unreadable(where) from None
    if image.width * image.height > MAX_PIXELS:
        raise RequestError(
            f"{where} has {image.width}×{image.height} pixels; "
            f"send an image of at most {MAX_PIXELS:,} pixels"
        )
    if image.format == "JPEG" and (scans := data.count(_START_OF_SCAN)) > MAX_SCANS:
        raise RequestError(f"{where} is a JPEG of {scans} scans; save it as a baseline JPEG")
    return ImageFile(image, where)


def _unreadable(where: str) -> RequestError:
    return RequestError(
        f"{where} is not an image that can be read; send a {', '.join(FORMATS)} file"
    )
