"""Generated files that are left of an earlier build, and that no spec describes any more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MESSAGE = "no spec describes this file; delete it"


def find_orphaned_files(generated: Iterable[Path]) -> list[Path]:
    """Return what is none of the generated files, but lies in a folder of theirs and has their
    suffix."""
    wanted = set(generated)
    kinds = {(path.parent, path.suffix) for path in wanted}
    beside = {path for folder, suffix in kinds for path in folder.glob(f"[!.]*{suffix}")}
    return sorted(path for path in beside - wanted if path.name != "index.rst")
