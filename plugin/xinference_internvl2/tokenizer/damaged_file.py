"""What a text in a tokenizer file has to be, and how a damaged file is described."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeGuard

from ..errors import CheckpointError


def is_valid_text(value: Any) -> TypeGuard[str]:
    """Whether a value is a string of valid Unicode; JSON may hold half a surrogate pair."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def file_error(path: Path, problem: str, value: Any) -> CheckpointError:
    """Return the error for a file in which `value` is not what it has to be."""
    return CheckpointError(f"{path}: {problem}: {quote(value)}; download the file again")


def quote(value: Any) -> str:
    """Return a JSON value for a message in ASCII, cut after 200 characters."""
    try:
        text = json.dumps(value)
    except RecursionError:
        text = "deeply nested"
    return text if len(text) <= 200 else text[:200] + "…"
