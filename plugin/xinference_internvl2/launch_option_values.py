"""Reads the value of a launch option: true or false, or a number within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import CheckpointError


def read_flag(options: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Return the option `name` as a bool; a command line gives it as the text "true" or "false".

    Raises:
        CheckpointError: it is neither.
    """
    value = options.get(name)
    flags = {"true": True, "false": False, "none": default}
    if (flag := flags.get(str(value).lower())) is None:
        raise CheckpointError(f"{name} {value!r:.80} is not true or false")
    return flag


def read_number(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """Return the option `name` as a whole number from `low` to `high`.

    Raises:
        CheckpointError: it is none.
    """
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CheckpointError(f"{name} {value!r} is not a whole number from {low} to {high}")
    return value
