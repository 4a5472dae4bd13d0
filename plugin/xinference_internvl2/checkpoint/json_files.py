"""Reads the JSON files of a checkpoint, within bounds of size and depth."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError

MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
"""Levels of nesting; the deepest published file, a `tokenizer.json`, has eight."""


def require_folder(path: Path, of: str) -> None:
    """Check that `path` is a folder; `of` says in the message what it should hold.

    Raises:
        CheckpointError: it is none, or no path that a system can have.
    """
    if not os.path.isdir(path):
        raise CheckpointError(f"{path} is not a directory; give the folder of {of}")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return the content of the regular file at `path`.

    Raises:
        CheckpointError: it is missing, no regular file, or larger than `max_bytes` bytes.
    """
    try:
        # Opening a pipe would block until somebody writes to it.
        with open(path, "rb", opener=_open_nonblocking) as file:
            return _read_regular(path, file, max_bytes)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing; download the whole model repository again"
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions"
        ) from None


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_regular(path: Path, file: BinaryIO, max_bytes: int) -> bytes:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is not a regular file; download it again")
    if status.st_size > max_bytes:
        raise CheckpointError(
            f"{path} is larger than {max_bytes >> 20} MiB; it is not a file of a checkpoint"
        )
    return file.read(max_bytes)


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Return the parsed JSON file at `path`.

    Raises:
        CheckpointError: it cannot be read, is larger than `max_bytes` bytes, nested more than
            `MAX_DEPTH` levels deep, or not JSON in UTF-8.
    """
    data = read_bytes(path, max_bytes)
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path} is not valid JSON; download it again") from None
    if _is_deeper(values, MAX_DEPTH):
        raise CheckpointError(
            f"{path} is nested more than {MAX_DEPTH} levels deep; download it again"
        )
    return values


def _is_deeper(values: Any, levels: int) -> bool:
    """Whether objects and lists are nested more than `levels` deep."""
    level = [values]
    for _ in range(levels):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def read_object(path: Path, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Return the JSON object in the file at `path`.

    Raises:
        CheckpointError: as for `read_json`, or it is no object.
    """
    values = read_json(path, max_bytes)
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is not a JSON object; download it again")
    return values
