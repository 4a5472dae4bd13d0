"""Read a spec file: its data, and where in the file each value stands."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ..problems import Issue, Problem, ReadError, SpecError, format_path
from .yaml_reader import Node, compose

_MAX_BYTES = 1 << 20

# What YAML calls printable; anything else stands in a file by accident.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
        root, found = compose(read_text(path, _MAX_BYTES))
    except ReadError as error:
        raise SpecError([Problem(name, error.line, error.column, "$", error.message)]) from None
    return Document(name, root, found)


def read_text(path: FilePath, most: int) -> str:
    """Return the text of a file of at most `most` bytes; raises `ReadError`."""
    data = _read_bytes(path, most)
    if len(data) > most:
        raise ReadError(1, 1, f"the file is larger than {most >> 20} MiB; split the family")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _find_end(data[: error.start].decode("utf-8"))
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ReadError(line, column, message) from None
    text = text.removeprefix("\ufeff")
    if match := _UNPRINTABLE.search(text):
        line, column = _find_end(text[: match.start()])
        message = f"the character U+{ord(match[0]):04X} is not allowed; remove it"
        raise ReadError(line, column, message)
    return text


def _read_bytes(path: FilePath, most: int) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ReadError(1, 1, "this is a directory; name a spec file in it")
        if not stat.S_ISREG(mode):
            raise ReadError(1, 1, "this is not a regular file; name a spec file")
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise ReadError(1, 1, "there is no such file; check the name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"the file cannot be read ({reason}); check the name and its permissions"
        raise ReadError(1, 1, message) from None


def _find_end(before: str) -> tuple[int, int]:
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1
