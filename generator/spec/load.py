"""Load the specs of a run: each is checked by itself, and then the names of all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..family.model import Family, make_family
from ..paths import ROOT
from ..problems import Problem, SpecError
from ..wording import display
from . import check_against_schema, cross_field_rules
from .document_positions import Document, load
from .same_family_names import find_same_names


@dataclass(frozen=True, slots=True)
class Spec:
    """A valid spec file."""

    origin: str
    """The file as generated files name it, wherever the generator is called from."""
    file: str
    """The file as messages name it."""
    name_at: tuple[int, int]
    """Where the name of the family stands."""
    family: Family


def load_all(paths: Iterable[Path]) -> list[Spec]:
    """Load every spec once; raises one `SpecError` with the problems of all of them."""
    specs: list[Spec] = []
    problems: list[Problem] = []
    files = {os.path.realpath(path): path for path in paths}.values()
    for path in files:
        try:
            specs.append(load_one(path, one_of_many=len(files) > 1))
        except SpecError as error:
            problems += error.problems
    problems += find_same_names((spec.family.name, spec.file, spec.name_at) for spec in specs)
    if problems:
        raise SpecError(problems)
    return specs


def load_one(path: Path, *, one_of_many: bool = False) -> Spec:
    """Load the spec at `path`; raises `SpecError` with all of its problems."""
    document = load(path, display(path))
    if problems := check(document, one_of_many=one_of_many):
        raise SpecError(problems)
    name = document.root.children["model_name"]
    at = (name.line, name.column)
    return Spec(_find_origin(path), document.name, at, make_family(document.data))


def check(document: Document, *, one_of_many: bool = False) -> list[Problem]:
    """Return everything that is wrong with a spec."""
    # A valid one of many passes by the faster library, without the import of the other.
    passes = one_of_many and check_against_schema.is_valid(document.data)
    issues = [] if passes else check_against_schema.check(document.data)
    issues += cross_field_rules.check(document.data, [*document.issues, *issues])
    return document.locate(issues)


def _find_origin(path: Path) -> str:
    real = Path(os.path.realpath(path))
    origin = real.relative_to(ROOT).as_posix() if real.is_relative_to(ROOT) else path.name
    return os.fsencode(origin).decode("utf-8", "replace")
