"""The command line: `python -m generator {build,validate}`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import output
from .families import ROOT, Spec, default_specs, display, load_all
from .render import outputs
from .source import SpecError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        specs = load_all(options.specs or default_specs())
        if options.command == "validate":
            return _validated(specs)
        files = {
            options.output / path: text
            for spec in specs
            for path, text in outputs(spec.family, spec.origin)
        }
        return (_check if options.check else _build)(files, options)
    except (SpecError, output.OutputError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m generator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="write what the specs describe")
    validate = commands.add_parser("validate", help="check the specs, write nothing")
    for command in (build, validate):
        command.add_argument(
            "specs",
            nargs="*",
            type=Path,
            metavar="SPEC",
            help="a spec file; without one, every family_specs/*.yaml of the repository",
        )
    build.add_argument(
        "--check", action="store_true", help="write nothing; fail where a file would change"
    )
    build.add_argument(
        "--output",
        type=Path,
        default=ROOT,
        metavar="DIR",
        help="write below this directory instead of the root of the repository",
    )
    return parser


def _validated(specs: Sequence[Spec]) -> int:
    for spec in specs:
        print(f"{spec.document.name}: valid")
    return 0


def _build(files: Mapping[Path, str], options: argparse.Namespace) -> int:
    changed = output.changed(files)
    output.write(changed)
    for path in changed:
        print(f"{display(path)}: written")
    print(f"{len(changed)} written, {len(files) - len(changed)} unchanged")
    return _stale(files, options)


def _check(files: Mapping[Path, str], options: argparse.Namespace) -> int:
    changed = output.changed(files)
    for path, text in changed.items():
        sys.stdout.writelines(output.diff(path, display(path), text))
    if not changed:
        print(f"{len(files)} unchanged")
        return _stale(files, options)
    _stale(files, options)
    where = [] if options.output == ROOT else ["--output", str(options.output)]
    command = shlex.join(["python", "-m", "generator", "build", *where, *map(str, options.specs)])
    print(f"{len(changed)} of {len(files)} generated files differ; run: {command}", file=sys.stderr)
    return 1


def _stale(files: Mapping[Path, str], options: argparse.Namespace) -> int:
    # Only a run over every spec can tell that a file belongs to none of them.
    stale = [] if options.specs else output.stale(files)
    for path in stale:
        print(f"{display(path)}: no spec describes this file; delete it", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        # A diff holds whatever the specs hold, also where the terminal cannot show it.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
