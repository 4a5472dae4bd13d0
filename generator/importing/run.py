"""Turn registrations of the host into specs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import ROOT
from ..problems import Issue, Problem, ReadError, RunError, display, format_path, show
from ..spec.load import check
from ..spec.located_document import Document
from ..spec.paths import SCHEMA_FILE
from ..spec.yaml_reader import compose
from . import registrations, yaml_writer
from .published_engines import add_engines
from .registrations import Record
from .to_spec import convert_record


@dataclass(frozen=True, slots=True)
class Imported:
    """A family that was imported."""

    name: str
    text: str
    notes: list[str]
    """What the format cannot say, or says in another way."""
    problems: list[Problem]
    """What is still to be completed in the spec."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to import."""

    paths: Sequence[Path]
    modelscope: Path | None
    """The catalog that older hosts had for ModelScope."""
    family: str | None
    """The only family to import, or None for all."""
    folder: Path | None
    """Where the specs will be."""
    pages: Path | None
    """Where the model pages are, for the engines."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the specs that the registrations may lack."""


def import_families(request: Request) -> list[Imported]:
    """Import every family of the registrations; raises `SpecError` or `RunError`."""
    chosen = list(_choose_records(request))
    if not chosen:
        message = f"no family is called {show(request.family)}; correct it"
        raise RunError(message, request.paths[0] if len(request.paths) == 1 else None)
    return [_import(*one, request, one_of_many=len(chosen) > 1) for one in chosen]


def _choose_records(request: Request) -> Iterator[tuple[Path, Record, Record | None]]:
    """Yield the records to import: the file, the record and that of the ModelScope catalog."""
    modelscope = request.modelscope
    others = registrations.read_by_name(modelscope) if modelscope else {}
    names: set[str] = set()
    for path in request.paths:
        for record in registrations.read(path):
            name = record["model_name"]
            if request.family in (None, name):
                registrations.check_name(path, name, names)
                yield path, record, others.pop(name, None)
    for name, record in others.items():
        if modelscope and request.family in (None, name):
            registrations.check_name(modelscope, name, names)
            yield modelscope, record, None


def _import(
    path: Path, record: Record, other: Record | None, request: Request, *, one_of_many: bool
) -> Imported:
    modern, issues = registrations.modernize(record, other)
    issues += _compare_given(record, request.given)
    data, more = convert_record({**request.given, **modern}, int(path.stat().st_mtime))
    if request.pages:
        more += add_engines(data, request.pages)
    folder = request.folder
    document = yaml_writer.format_document(data, dict(_find_comments(data)))
    text = _format_head(path, folder) + document
    target = f"{record['model_name']}.yaml"
    name = display(folder / target) if folder else target
    notes = [
        f"{display(path)}: {record['model_name']}: {format_path(issue.path)}: {issue.message}"
        for issue in [*issues, *more]
    ]
    return Imported(record["model_name"], text, notes, _find_problems(name, text, one_of_many))


def _compare_given(record: Record, given: Mapping[str, Any]) -> Iterator[Issue]:
    """Yield which of the given keys the registration has already, and which are still needed."""
    for key in given.keys() & record.keys():
        yield Issue((key,), "the registration has it; what was given beside it is left out")
    if not {"architectures", "model_family"} & (given.keys() | record.keys()):
        message = "not in the registration; which are they? Give them with --architectures"
        yield Issue(("architectures",), message)
    if "prompt_formats" in given:
        message = "which checkpoint has which? Add prompt_format, backbone and engines to each that"
        yield Issue(("prompt_formats",), f"{message} this plugin is to serve")


def _find_problems(name: str, text: str, one_of_many: bool) -> list[Problem]:
    try:
        return check(Document(name, *compose(text)), one_of_many=one_of_many)
    except ReadError as error:
        return [Problem(name, error.line, error.column, "$", error.message)]


def _format_head(path: Path, folder: Path | None) -> str:
    schema_file = SCHEMA_FILE.name
    if folder and folder.resolve().is_relative_to(ROOT):
        schema_file = Path(os.path.relpath(SCHEMA_FILE, folder.resolve())).as_posix()
    return f"# yaml-language-server: $schema={schema_file}\n#\n# Imported from {path.name}.\n\n"


def _find_comments(data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    updated = data.get("updated_at")
    if isinstance(updated, int) and 0 <= updated < 1 << 37:
        yield "updated_at", f"{datetime.fromtimestamp(updated, timezone.utc):%Y-%m-%d}"
