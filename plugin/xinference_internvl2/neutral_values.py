"""Tells whether a value of a request is among the neutral ones, which change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def is_neutral(value: Any, neutral: Iterable[Any]) -> bool:
    """Whether `value` is one of `neutral`; `1.0` equals `1`, but `true` does not."""
    return any(
        value == each and isinstance(value, bool) == isinstance(each, bool) for each in neutral
    )
