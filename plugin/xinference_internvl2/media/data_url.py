"""Reads files that stand in a request itself: `data:` URLs, and bare base64."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote, unquote_to_bytes

_URL_SAFE = str.maketrans("-_", "+/")
# JPEG, PNG, GIF, WebP and AVI, BMP, TIFF of either byte order, WebM. MP4 has its own later on.
_MAGIC_NUMBERS = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"\x1aE\xdf",
)
_MAGIC_CHARACTERS = 32


def read_inline(url: str) -> bytes | None:
    """Return the file that `url` contains, or None if it has to be fetched.

    Raises:
        ValueError: its encoding is damaged; the message says how.
    """
    if url[:5].lower() != "data:":
        return _decode_bare(url)
    head, comma, payload = url[5:].partition(",")
    if not comma:
        raise ValueError("it is a data: URL without a comma before its data")
    if not head.rstrip().lower().endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return _decode_base64(payload)
    except (binascii.Error, ValueError):
        raise ValueError("it is a data: URL whose base64 cannot be decoded") from None


def _decode_base64(text: str) -> bytes:
    """Decode base64 of either alphabet, with or without white space, URL escapes and padding."""
    if "%" in text:
        text = unquote(text)
    text = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _decode_bare(text: str) -> bytes | None:
    """Return the file that bare base64 encodes, or None if it begins like no image or video.

    A path may consist of the same letters.
    """
    try:
        beginning = _decode_base64("".join(text[:200].split())[:_MAGIC_CHARACTERS])
        is_file = beginning.startswith(_MAGIC_NUMBERS) or beginning[4:8] == b"ftyp"
        return _decode_base64(text) if is_file else None
    except (binascii.Error, ValueError):
        return None
