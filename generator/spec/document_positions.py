"""Read a spec file: its data, and where in the file each value stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ..problems import Issue, Problem, ReadError, SpecError, format_path
from .text_file import read_text
from .yaml_reader import Node, compose


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
