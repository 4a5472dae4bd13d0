"""The arguments of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import ROOT
from .report import FORMATS


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m generator",
        description="Turn family specs into registrations, loader data and model pages.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="write what the specs describe")
    _specs(build)
    _build(build)
    validate = commands.add_parser("validate", help="check the specs, write nothing")
    _specs(validate)
    importer = commands.add_parser("import", help="turn registrations of xinference into specs")
    _registrations(importer)
    _import(importer)
    for command in (build, validate, importer):
        _format(command)
    commands.add_parser("schema", help="print the reference of all fields, in reStructuredText")
    return top


def _specs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "specs",
        nargs="*",
        type=Path,
        metavar="SPEC",
        help="a spec file; without one, every family_specs/*.yaml of the repository",
    )


def _format(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="how to say what is wrong: as text, as GitHub's annotations, or as JSON",
    )


def _build(command: argparse.ArgumentParser) -> None:
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


def _registrations(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "registrations",
        nargs="+",
        type=Path,
        metavar="REGISTRATION.json",
        help="a catalog of xinference, or the registration of a custom model",
    )
    command.add_argument("--family", metavar="NAME", help="import the family of this name alone")


def _import(command: argparse.ArgumentParser) -> None:
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
