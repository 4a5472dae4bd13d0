"""Bring files to what they should hold, all of them or none; find those that do not hold it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..problems import RunError


def find_changed(files: Mapping[Path, str]) -> dict[Path, str]:
    """Return the files that do not hold their text."""
    return {path: text for path, text in files.items() if read(path) != text.encode()}


def write_files(files: Mapping[Path, str]) -> None:
    """Write all files or, where one of them cannot be written, none."""
    written: dict[Path, Path] = {}
    try:
        for path, text in files.items():
            with _explain(path, "written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                # In the same folder, because only there replacing is atomic.
                beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
                written[path] = beside
                beside.write_bytes(text.encode())
        for path, beside in written.items():
            with _explain(path, "written"):
                os.replace(beside, path)
    finally:
        for beside in written.values():
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)


def read(path: Path) -> bytes | None:
    """Return what a file holds; None where there is none."""
    with _explain(path, "read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


@contextlib.contextmanager
def _explain(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except IsADirectoryError:
        raise RunError(f"{path} is a directory; move it away") from None
    except (FileExistsError, NotADirectoryError):
        file = next(parent for parent in path.parents if parent.exists())
        raise RunError(f"{file} is not a directory; move that file away") from None
    except OSError as error:
        reason = error.strerror or error
        message = f"{path} cannot be {done} ({reason}); check the folder and its permissions"
        raise RunError(message) from None
