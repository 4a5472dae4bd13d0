"""The record of the last build: from which inputs it made which outputs.

A build of the same inputs whose outputs are all as recorded has nothing to do. To find that out it
reads every input and every output again; what it saves is parsing, checking and rendering. There is
one record in the checkout, wherever outputs are written. `--check` neither reads nor writes it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from ..paths import ROOT, SCHEMA_FILE
from ..problems import RunError
from .write import write_files

RECORD = ROOT / "build" / "generator.sha256"
"""In its first line a seal, the digest of inputs and outputs; then, as sha256sum writes them, the
digest and the path of every output."""

_LIBRARIES = ("jinja2", "jsonschema", "jsonschema_rs", "yaml")
_MAX_BYTES = 1 << 24


def digest_inputs(specs: Iterable[Path], *, whole: bool) -> str:
    """Return a digest of everything that the outputs of these specs follow from.

    `whole` says that they are all specs of the repository, which have one more output in common.
    """
    files = [(str(path), os.path.realpath(path), _digest_file(path)) for path in specs]
    return _digest(repr((whole, files, _IMPORTED)).encode())


def find_unchanged(inputs: str, folder: Path) -> list[Path] | None:
    """Return the outputs below `folder`; None where inputs or outputs are not those recorded."""
    recorded = _read_record(inputs)
    unchanged = all(_digest_file(folder / path) == digest for path, digest in recorded.items())
    return [folder / path for path in recorded] if recorded and unchanged else None


def write_record(inputs: str, files: Mapping[Path, str], folder: Path) -> None:
    """Record that these inputs make these files below `folder`."""
    # Code that was edited since it was imported is not what made them.
    if _digest_generator() != _IMPORTED:
        return
    lines = "".join(
        f"{_digest(text.encode())}  {path.relative_to(folder).as_posix()}\n"
        for path, text in files.items()
    )
    # Without a record, as where the checkout is read-only, the next build takes longer: no more.
    with contextlib.suppress(RunError):
        write_files({RECORD: f"{_seal(inputs, lines.encode())}\n{lines}"})


def _read_record(inputs: str) -> dict[str, str]:
    """Return the digests of the outputs by path; none where it is not of these inputs."""
    seal, _, lines = (_read(RECORD) or b"").partition(b"\n")
    # A damaged record has another seal, too, so that its lines are those that were written.
    if seal != _seal(inputs, lines).encode():
        return {}
    pairs = (line.split("  ", 1) for line in lines.decode().splitlines())
    return {path: digest for digest, path in pairs}


def _seal(inputs: str, lines: bytes) -> str:
    return _digest(inputs.encode() + lines)


def _digest_generator() -> str:
    """Return a digest of the code, the templates, the schema, the libraries and Python."""
    package = Path(__file__).parents[1]
    own = sorted([SCHEMA_FILE, *package.rglob("*.py"), *package.rglob("*.jinja")])
    files = [(str(path), _digest_file(path)) for path in own]
    return _digest(repr((sys.version, files, [*map(_describe_library, _LIBRARIES)])).encode())


def _describe_library(name: str) -> list[tuple[str, int, int]]:
    """Return path, bytes and time of each of its files: to import its version would take longer."""
    found = find_spec(name)
    folder = os.path.dirname(found.origin) if found and found.origin else os.devnull
    with contextlib.suppress(OSError):
        files = [(entry.path, entry.stat()) for entry in os.scandir(folder) if entry.is_file()]
        return sorted((path, status.st_size, status.st_mtime_ns) for path, status in files)
    return []


def _digest_file(path: Path) -> str | None:
    data = _read(path)
    return None if data is None else _digest(data)


def _read(path: Path) -> bytes | None:
    """Return what a file holds; None where it is too large, or something else than a file."""
    with contextlib.suppress(OSError, ValueError):
        status = path.stat()
        # A pipe would keep its reader waiting.
        if stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_BYTES:
            return path.read_bytes()
    return None


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


_IMPORTED = _digest_generator()
"""That of what runs, whatever has become of the files since."""
