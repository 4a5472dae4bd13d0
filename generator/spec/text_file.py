"""Read a file as text: regular, bounded in size, UTF-8, and without what no text has."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from ..problems import ReadError

MAX_BYTES = 1 << 20
"""Of a file about one family: its spec, or its page."""

# What YAML calls printable; anything else stands in a file by accident.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """Return the text of a file of at most `most` bytes; raises `ReadError`."""
    data = _read_bytes(path, most)
    if len(data) > most:
        raise ReadError(1, 1, f"the file is larger than {most >> 20} MiB; split the family")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _find_end(data[: error.start].decode("utf-8"))
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ReadError(line, column, message) from None
    text = text.removeprefix("\ufeff")
    if match := _UNPRINTABLE.search(text):
        line, column = _find_end(text[: match.start()])
        message = f"the character U+{ord(match[0]):04X} is not allowed; remove it"
        raise ReadError(line, column, message)
    return text


def _read_bytes(path: Path, most: int) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ReadError(1, 1, "this is a directory; name a spec file in it")
        if not stat.S_ISREG(mode):
            raise ReadError(1, 1, "this is not a regular file; name a spec file")
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise ReadError(1, 1, "there is no such file; check the name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"the file cannot be read ({reason}); check the name and its permissions"
        raise ReadError(1, 1, message) from None


def _find_end(before: str) -> tuple[int, int]:
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1
