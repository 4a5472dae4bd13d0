"""`build --check`: how the files differ from what is generated, and the command that repairs it."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..outputs.write import find_changed, read
from ..paths import ROOT
from ..wording import display
from .report import Report


def compare(files: Mapping[Path, str], options: argparse.Namespace, report: Report) -> int:
    """Print how the files differ from their text; return the exit status."""
    changed = find_changed(files)
    if not changed:
        report.add_text(f"{len(files)} unchanged")
        return 0
    where = [] if options.output == ROOT else ["--output", str(options.output)]
    command = shlex.join(["python", "-m", "generator", "build", *where, *map(str, options.specs)])
    for path, text in changed.items():
        report.add_text(_diff_lines(path, text))
        report.add_difference(display(path), command)
    report.add_error(f"{len(changed)} of {len(files)} generated files differ; run: {command}")
    return 1


def _diff_lines(path: Path, text: str) -> Iterator[str]:
    """Yield the lines of a unified diff from the file to the text it should hold."""
    data, name = read(path), display(path)
    old = [] if data is None else data.decode("utf-8", "backslashreplace").splitlines(True)
    before = "/dev/null" if data is None else name
    for line in difflib.unified_diff(old, text.splitlines(True), before, f"{name} (generated)"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
