"""The arguments of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..paths import ROOT
from .report import FORMATS


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, with all commands."""
    top = argparse.ArgumentParser(
        prog="python -m generator",
        description="Turn family specs into registrations, loader data and model pages.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="write what the specs describe")
    _add_specs(build)
    _add_build_options(build)
    validate = commands.add_parser("validate", help="check the specs, write nothing")
    _add_specs(validate)
    importer = commands.add_parser("import", help="turn registrations of xinference into specs")
    _add_registrations(importer)
    _add_import_options(importer)
    for command in (build, validate, importer):
        _add_format(command)
    commands.add_parser("schema", help="print the reference of all fields, in reStructuredText")
    return top


def _add_specs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "specs",
        nargs="*",
        type=Path,
        metavar="SPEC",
        help="a spec file; without one, every family_specs/*.yaml of the repository",
    )


def _add_format(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="how to say what is wrong: as text, as GitHub's annotations, or as JSON",
    )


def _add_build_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--check", action="store_true", help="write nothing; fail where a file would change"
    )
    command.add_argument(
        "--output",
        type=Path,
        default=ROOT,
        metavar="DIR",
        help="write below this directory instead of the root of the repository",
    )


def _add_registrations(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "registrations",
        nargs="+",
        type=Path,
        metavar="REGISTRATION.json",
        help="a catalog of xinference, or the registration of a custom model",
    )
    command.add_argument("--family", metavar="NAME", help="import the family of this name alone")


def _add_import_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="write one spec for each family here; without it, print the only one",
    )
    command.add_argument(
        "--modelscope",
        type=Path,
        metavar="FILE",
        help="the catalog that older versions had for ModelScope",
    )
    command.add_argument(
        "--pages",
        type=Path,
        metavar="DIR",
        help="the published model pages, for the engines, which a registration does not have",
    )
    command.add_argument(
        "--architectures",
        metavar="NAMES",
        help="the architectures, with commas between them, where the registration has none",
    )
    command.add_argument(
        "--prompt-formats",
        type=Path,
        metavar="FILE",
        help="a YAML file with prompt_formats for the specs; the spec of another family will do",
    )
