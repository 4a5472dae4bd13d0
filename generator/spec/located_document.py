"""Read a spec file: its data, and where in the file each value stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ..problems import Issue, Path, Problem, ReadError, SpecError
from ..wording import SHOWN, show
from .text_file import read_text
from .yaml_reader import Node, compose

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a spec file, with its positions beside it."""

    name: str
    """The file as messages name it."""
    root: Node
    found: list[tuple[int, int, Issue]] = field(default_factory=list)
    """What is wrong with keys and tags, by line and column; the data leaves those out."""

    @property
    def data(self) -> Any:
        """The plain data of the file."""
        return self.root.value

    @property
    def issues(self) -> list[Issue]:
        """What is wrong with keys and tags."""
        return [issue for _, _, issue in self.found]

    def locate(self, issues: Iterable[Issue]) -> list[Problem]:
        """Return `issues` and those of the file itself, each with its position."""
        placed = [(*self._find_position(issue), issue) for issue in issues]
        return [
            Problem(self.name, line, column, format_path(issue.path), issue.message)
            for line, column, issue in [*self.found, *placed]
        ]

    def _find_position(self, issue: Issue) -> tuple[int, int]:
        parent = node = self.root
        for step in issue.path:
            parent, node = node, node.children.get(step, node)
        line, column = node.line, node.column
        if issue.at_key:
            line, column = parent.keys.get(str(issue.path[-1]), (line, column))
        return line, column


def load(path: FilePath, name: str) -> Document:
    """Read the spec at `path`, which messages call `name`; raises `SpecError`."""
    try:
        root, found = compose(read_text(path))
    except ReadError as error:
        raise SpecError([Problem(name, error.line, error.column, "$", error.message)]) from None
    return Document(name, root, found)


def format_path(path: Path) -> str:
    """Return `path` as a JSONPath: `$.model_specs[3].prompt_formats['Hermes-2']`."""
    steps = []
    for step in path:
        if isinstance(step, str) and _PLAIN_KEY.fullmatch(step):
            steps.append(f".{step[:SHOWN]}")
        else:
            steps.append(f"[{show(step)}]")
    return "$" + "".join(steps)
