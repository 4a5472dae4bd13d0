"""What can be wrong with a spec, a file or a run, and the wording that every stage shares."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath

Path = tuple[str | int, ...]
"""Keys and indexes that lead from the root of a spec to a value."""

_SHOWN = 60
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Issue:
    """Something wrong at a path of one spec."""

    path: Path
    message: str
    at_key: bool = False
    """Whether the position is that of the key itself, instead of its value."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """An issue with its place in a file; prints as `file:line:column: $.path: message`."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


class SpecError(Exception):
    """One or more files are wrong; `problems` holds all that is, in order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


class ReadError(Exception):
    """A file cannot be read to its end; line and column count from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message


class RunError(Exception):
    """A run cannot go on, for a reason that stands at no line of a file; with its remedy."""

    def __init__(self, message: str, file: FilePath | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.file = None if file is None else display(file)


def display(path: FilePath) -> str:
    """Return a path as messages name it: below the working directory where it lies there."""
    here = FilePath.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def format_path(path: Path) -> str:
    """Return `path` as a JSONPath: `$.model_specs[3].prompt_formats['Hermes-2']`."""
    steps = []
    for step in path:
        if isinstance(step, str) and _PLAIN_KEY.fullmatch(step):
            steps.append(f".{step[:_SHOWN]}")
        else:
            steps.append(f"[{show(step)}]")
    return "$" + "".join(steps)


def show(value: object) -> str:
    """Return `value` as a message shows it: YAML's words, text in quotes and cut."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, str) and len(value) > _SHOWN:
        return repr(value[:_SHOWN] + "…")
    return repr(value)


def join_quoted(options: Iterable[str]) -> str:
    """Return options in quotes, with commas between them."""
    return ", ".join(repr(option) for option in options)


@cache
def find_nearest(word: str, options: tuple[str, ...]) -> str | None:
    """Return the option that `word` may be a mistyping of."""
    # A comparison takes quadratic time, and nobody mistypes a name that long.
    if len(word) > _SHOWN:
        return None
    folded = {option.casefold(): option for option in options}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def suggest(word: str, options: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest of `options`, or nothing."""
    near = find_nearest(word, tuple(options))
    return f"; did you mean {near!r}?" if near else ""
