"""Adds to the error of a launch the command that lists everything wrong with the checkpoint."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import CheckpointError


@contextmanager
def point_to_doctor(path: str | Path) -> Iterator[None]:
    """Add to a CheckpointError of the body the command that lists everything wrong with `path`."""
    try:
        yield
    except CheckpointError as error:
        command = f"xinference-internvl2 doctor {shlex.quote(str(path))}"
        raise CheckpointError(f"{error}. All that is wrong with it: {command}") from None
