"""What can be wrong with a spec, a file or a run: the errors of every stage, and their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath

from .wording import SHOWN, display, show

Path = tuple[str | int, ...]
"""Keys and indexes that lead from the root of a spec to a value."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def format_path(path: Path) -> str:
    """Return `path` as a JSONPath: `$.model_specs[3].prompt_formats['Hermes-2']`."""
    steps = []
    for step in path:
        if isinstance(step, str) and _PLAIN_KEY.fullmatch(step):
            steps.append(f".{step[:SHOWN]}")
        else:
            steps.append(f"[{show(step)}]")
    return "$" + "".join(steps)


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
        return self.format()

    def format(
        self, paint_place: Callable[[str], str] = str, paint_path: Callable[[str], str] = str
    ) -> str:
        """Return it as one line, in a form that editors make a link of."""
        place, path = f"{self.file}:{self.line}:{self.column}:", f"{self.path}:"
        return f"{paint_place(place)} {paint_path(path)} {self.message}"


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
