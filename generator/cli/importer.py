"""`import`: turn registrations of Xinference into specs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..importing.import_families import Imported, Request, import_families
from ..outputs.write import find_changed, write_files
from ..problems import RunError
from ..spec.document_positions import load
from ..wording import display
from .report import Report


def import_registrations(options: argparse.Namespace, report: Report) -> int:
    """Turn registrations into specs, naming what has no place there; return the exit status."""
    folder = options.output
    paths, others, given = options.registrations, options.modelscope, _read_given(options)
    found = import_families(Request(paths, others, options.family, folder, options.pages, given))
    if folder is None:
        if len(found) > 1:
            message = f"{len(found)} families need a folder; give one with -o, or one --family"
            raise RunError(message)
        report.add_spec(found[0].name, found[0].text)
    else:
        _write(found, folder, report)
    for family in found:
        for note in family.notes:
            report.add_note(note)
        report.add_problems(sorted(family.problems))
    return 1 if any(family.problems for family in found) else 0


def _read_given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keys of specs that the options give."""
    given: dict[str, Any] = {}
    if options.architectures is not None:
        given["architectures"] = options.architectures.split(",")
    if options.prompt_formats is not None:
        data = load(options.prompt_formats, display(options.prompt_formats)).data
        if not isinstance(data, dict) or "prompt_formats" not in data:
            raise RunError("there are no prompt_formats here; add them", options.prompt_formats)
        given["prompt_formats"] = data["prompt_formats"]
    return given


def _write(found: Sequence[Imported], folder: Path, report: Report) -> None:
    files = {folder / f"{family.name}.yaml": family.text for family in found}
    changed = find_changed(files)
    if taken := [path for path in changed if path.exists()]:
        raise RunError(f"{display(taken[0])} is there already; move it away")
    write_files(changed)
    for path in changed:
        report.add_file(display(path), "written")
    report.add_text(f"{len(changed)} written, {len(files) - len(changed)} unchanged")
