"""Report what was found: as text, as GitHub's annotations, or as JSON.

By hand, because it is five colours and one line of GitHub's: rich would be half of a run's imports.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Literal, TextIO

from ..problems import Problem

Format = Literal["text", "github", "json"]
FORMATS: tuple[Format, ...] = ("text", "github", "json")

_BOLD, _RED, _GREEN, _CYAN, _PLAIN = "\033[1m", "\033[31m", "\033[32m", "\033[36m", "\033[0m"


def escape_unprintable() -> None:
    """Have characters escaped that the terminal cannot show, such as Chinese ones of a diff."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


class Report:
    """What a run reports: files and a summary on stdout, and what is wrong.

    As text, what is wrong goes to stderr. GitHub reads annotations from stdout, and JSON is one
    object there, printed by `close()`.
    """

    def __init__(self, style: Format) -> None:
        self._style = style
        self._data: dict[str, list[Any]] = {"problems": [], "files": []}

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Add what is wrong with specs."""
        for problem in problems:
            if self._style == "text":
                print(problem.format(_in(_BOLD), _in(_CYAN)), file=sys.stderr)
            elif self._style == "github":
                place = problem.line, problem.column
                print(_format_annotation(f"{problem.path}: {problem.message}", problem.file, place))
            else:
                self._data["problems"].append(_list_fields(problem))

    def add_error(self, message: str, file: str | None = None) -> None:
        """Add what is wrong otherwise, with a file or with the run as a whole."""
        if self._style == "text":
            text = f"{file}: {message}" if file else message
            print(_paint(text, _RED, sys.stderr), file=sys.stderr)
        elif self._style == "github":
            print(_format_annotation(message, file))
        else:
            self._data["problems"].append({"file": file, "message": message})

    def add_note(self, message: str) -> None:
        """Add something worth knowing that is not wrong."""
        if self._style == "json":
            self._data.setdefault("notes", []).append(message)
        elif self._style == "github":
            print(f"::notice::{_escape(message)}")
        else:
            print(message, file=sys.stderr)

    def add_spec(self, name: str, text: str) -> None:
        """Add the text of a spec that is not written to a file."""
        if self._style == "json":
            self._data.setdefault("specs", []).append({"family": name, "text": text})
        else:
            sys.stdout.write(text)

    def add_file(self, name: str, state: str) -> None:
        """Add what became of a file."""
        if self._style == "json":
            self._data["files"].append({"file": name, "state": state})
        else:
            print(f"{name}: {state}")

    def add_difference(self, name: str, command: str) -> None:
        """Add that a file is not what is generated; as text, its difference says so."""
        if self._style == "github":
            self.add_error(f"this differs from what is generated; run: {command}", name)
        elif self._style == "json":
            self.add_file(name, "differs")

    def add_text(self, lines: str | Iterable[str]) -> None:
        """Add what people read: a summary, or the lines of a difference."""
        if self._style == "json":
            return
        if isinstance(lines, str):
            print(lines)
            return
        colours = {"-": _RED, "+": _GREEN, "@": _CYAN}
        for line in lines:
            colour = colours.get(line[:1], "")
            sys.stdout.write(_paint(line.removesuffix("\n"), colour, sys.stdout) + "\n")

    def close(self) -> None:
        """Print what can be printed only at the end."""
        if self._style == "json":
            print(json.dumps(self._data, ensure_ascii=False, indent=2))


def _in(colour: str) -> Callable[[str], str]:
    return lambda text: _paint(text, colour, sys.stderr)


def _paint(text: str, colour: str, stream: TextIO) -> str:
    wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"{colour}{text}{_PLAIN}" if wanted and colour and text else text


def _format_annotation(message: str, file: str | None, place: tuple[int, int] | None = None) -> str:
    name = _escape(file or "").replace(":", "%3A").replace(",", "%2C")
    where = f" file={name}" if file else ""
    if place is not None:
        where += f",line={place[0]},col={place[1]}"
    return f"::error{where}::{_escape(message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _list_fields(problem: Problem) -> dict[str, Any]:
    names = ("file", "line", "column", "path", "message")
    return {name: getattr(problem, name) for name in names}
