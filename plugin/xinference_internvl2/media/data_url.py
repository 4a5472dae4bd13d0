"""Files that are written into a request: `data:` URLs, and base64 without one, as clients send."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote, unquote_to_bytes

_URL_SAFE = str.maketrans("-_", "+/")
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"RIFF",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"\x1aE\xdf",
)
_SHORTEST = 32


def read_inline(url: str) -> bytes | None:
    """Return the file that is written in `url`, or None if it is elsewhere.

    Raises:
        ValueError: it is not written as it should be; the message says what is wrong.
    """
    if url[:5].lower() != "data:":
        return _bare(url)
    head, comma, payload = url[5:].partition(",")
    if not comma:
        raise ValueError("it is a data: URL without a comma before its data")
    if not head.rstrip().lower().endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return _decode(payload)
    except (binascii.Error, ValueError):
        raise ValueError("it is a data: URL whose base64 cannot be decoded") from None


def _decode(text: str) -> bytes:
    """Decode base64 of either alphabet, with white space or escapes in it, padded or not."""
    if "%" in text:
        text = unquote(text)
    text = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _bare(text: str) -> bytes | None:
    """Return the file that `text` is in base64, if it begins as an image or a video does: a path
    may have the same letters."""
    try:
        beginning = _decode("".join(text[:200].split())[:_SHORTEST])
        is_file = beginning.startswith(_BEGINNINGS) or beginning[4:8] == b"ftyp"
        return _decode(text) if is_file else None
    except (binascii.Error, ValueError):
        return None
