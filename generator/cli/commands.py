"""`build`, `validate` and `import`: what they write, and what they say of it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import ROOT
from ..importing.run import Imported, Request, import_families
from ..outputs.paths import outputs
from ..outputs.spec_reference import REFERENCE, reference
from ..outputs.write import diff_lines, find_changed, find_stale, write_files
from ..problems import RunError, display
from ..spec.file import load
from ..spec.load import Spec, default_specs, load_all
from .report import Report


def validate(options: argparse.Namespace, report: Report) -> int:
    """Check the specs."""
    for spec in load_all(options.specs or default_specs()):
        report.file(spec.file, "valid")
    return 0


def build(options: argparse.Namespace, report: Report) -> int:
    """Write what the specs describe or, with `--check`, compare it with what is there."""
    files = _files(load_all(options.specs or default_specs()), options)
    changed = find_changed(files)
    if options.check:
        status = _differences(changed, len(files), options, report)
    else:
        write_files(changed)
        for path in changed:
            report.file(display(path), "written")
        report.text(f"{len(changed)} written, {len(files) - len(changed)} unchanged")
        status = 0
    # Only a run over every spec can tell that a file belongs to none of them.
    stale = [] if options.specs else find_stale(files)
    for path in stale:
        report.error("no spec describes this file; delete it", display(path))
    return 1 if stale else status


def _files(specs: Sequence[Spec], options: argparse.Namespace) -> dict[Path, str]:
    files = {
        options.output / path: text
        for spec in specs
        for path, text in outputs(spec.family, spec.origin)
    }
    # The reference is of all specs, not of one.
    return files if options.specs else files | {options.output / REFERENCE: reference()}


def _differences(
    changed: Mapping[Path, str], total: int, options: argparse.Namespace, report: Report
) -> int:
    if not changed:
        report.text(f"{total} unchanged")
        return 0
    where = [] if options.output == ROOT else ["--output", str(options.output)]
    command = shlex.join(["python", "-m", "generator", "build", *where, *map(str, options.specs)])
    for path, text in changed.items():
        report.text(diff_lines(path, display(path), text))
        report.differs(display(path), command)
    report.error(f"{len(changed)} of {total} generated files differ; run: {command}")
    return 1


def import_(options: argparse.Namespace, report: Report) -> int:
    """Turn registrations into specs, and name what has no place in those."""
    folder = options.output
    paths, others, given = options.registrations, options.modelscope, _given(options)
    found = import_families(Request(paths, others, options.family, folder, options.pages, given))
    if folder is None:
        if len(found) > 1:
            message = f"{len(found)} families need a folder; give one with -o, or one --family"
            raise RunError(message)
        report.spec(found[0].name, found[0].text)
    else:
        _write(found, folder, report)
    for family in found:
        for note in family.notes:
            report.note(note)
        report.problems(sorted(family.problems))
    return 1 if any(family.problems for family in found) else 0


def _given(options: argparse.Namespace) -> dict[str, Any]:
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
        report.file(display(path), "written")
    report.text(f"{len(changed)} written, {len(files) - len(changed)} unchanged")
