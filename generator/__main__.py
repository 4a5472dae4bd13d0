"""The command line: `python -m generator {build,validate,import,schema}`."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence

from .cli.arguments import make_parser
from .cli.report import Report, escape_unprintable
from .problems import RunError, SpecError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = make_parser().parse_args(arguments)
    if options.command == "schema":
        from .outputs.spec_reference import render_reference

        print(render_reference(), end="")
        return 0
    report = Report(options.format)
    try:
        return _run(options, report)
    except SpecError as error:
        report.add_problems(error.problems)
    except RunError as error:
        report.add_error(error.message, error.file)
    finally:
        report.close()
    return 1


def _run(options: argparse.Namespace, report: Report) -> int:
    # A command is imported where it is asked for: most of a short run is imports.
    if options.command == "build":
        from .cli.build import build

        return build(options, report)
    if options.command == "validate":
        from .cli.validate import validate

        return validate(options, report)
    from .cli.importer import import_registrations

    return import_registrations(options, report)


if __name__ == "__main__":
    escape_unprintable()
    # A run is short, and looking for cycles in a hundred thousand nodes takes a tenth of it.
    gc.disable()
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
