"""`build`: write what the specs describe, and report orphaned files that none of them does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..outputs import build_record
from ..outputs.orphaned_files import MESSAGE, find_orphaned_files
from ..outputs.write import find_changed, write_files
from ..paths import REFERENCE, find_specs
from ..wording import display
from .drift_check import compare
from .report import Report


def build(options: argparse.Namespace, report: Report) -> int:
    """Write or compare the files of the specs; return the exit status."""
    specs = options.specs or find_specs()
    if options.check:
        files = _generate(specs, options)
        status, paths = compare(files, options, report), list(files)
    else:
        status, paths = 0, _write(specs, options, report)
    # Only a run over every spec can tell that a file belongs to none of them.
    orphans = [] if options.specs else find_orphaned_files(paths)
    for path in orphans:
        report.add_error(MESSAGE, display(path))
    return 1 if orphans else status


def _generate(specs: Sequence[Path], options: argparse.Namespace) -> dict[Path, str]:
    """Return the text of every file, by its path below the folder of the outputs."""
    # Imported here, because a build that is skipped takes less time than these and their libraries.
    from ..outputs.files import render_files
    from ..outputs.spec_reference import render_reference
    from ..spec.load import load_all

    files = {
        options.output / path: text
        for spec in load_all(specs)
        for path, text in render_files(spec.family, spec.origin)
    }
    # The reference is of all specs, not of one.
    return files if options.specs else files | {options.output / REFERENCE: render_reference()}


def _write(specs: Sequence[Path], options: argparse.Namespace, report: Report) -> list[Path]:
    """Write what is not there yet; return the paths of all files, written or not."""
    inputs = build_record.digest_inputs(specs, whole=not options.specs)
    changed: dict[Path, str] = {}
    if (paths := build_record.find_unchanged(inputs, options.output)) is None:
        files = _generate(specs, options)
        changed, paths = find_changed(files), list(files)
        write_files(changed)
        # Specs that were edited while the build ran are not what made the files.
        if build_record.digest_inputs(specs, whole=not options.specs) == inputs:
            build_record.write_record(inputs, files, options.output)
    for path in changed:
        report.add_file(display(path), "written")
    report.add_text(f"{len(changed)} written, {len(paths) - len(changed)} unchanged")
    return paths
