"""How many added tokens a tokenizer file may name, and how large their ids and texts may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import CheckpointError

MAX_ID = 1 << 24
"""No id reaches it."""

MAX_CONTENT = 256
"""Characters of the text of a token."""

MAX_ADDED = 4096
"""Added tokens that one file may name; the published checkpoints have 21 at most."""


def check_count(entries: Any, name: str, path: Path) -> None:
    """Check that the field `name` of a file does not add more tokens than any checkpoint does."""
    if len(entries) > MAX_ADDED:
        raise CheckpointError(
            f"{path}: {name} has {len(entries)} tokens, but no checkpoint adds more than "
            f"{MAX_ADDED}; download the file again"
        )
