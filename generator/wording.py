"""How messages word things: values quoted and cut, paths of files, and "did you mean …?"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

SHOWN = 60
"""The most characters of a value or a key that a message shows."""


def display(path: Path) -> str:
    """Return a path as messages name it: below the working directory where it lies there."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def show(value: object) -> str:
    """Return `value` as a message shows it: YAML's words, text in quotes and cut."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, str) and len(value) > SHOWN:
        return repr(value[:SHOWN] + "…")
    return repr(value)


def join_quoted(options: Iterable[str]) -> str:
    """Return options in quotes, with commas between them."""
    return ", ".join(repr(option) for option in options)


@cache
def find_nearest(word: str, options: tuple[str, ...]) -> str | None:
    """Return the option that `word` may be a mistyping of."""
    # A comparison takes quadratic time, and nobody mistypes a name that long.
    if len(word) > SHOWN:
        return None
    folded = {option.casefold(): option for option in options}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def suggest(word: str, options: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest of `options`, or nothing."""
    near = find_nearest(word, tuple(options))
    return f"; did you mean {near!r}?" if near else ""
