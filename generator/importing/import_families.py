"""Import families: the text of a spec for each record, its head, and what it still lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..paths import ROOT, SCHEMA_FILE
from ..problems import Problem, ReadError, format_path
from ..spec.document_positions import Document
from ..spec.load import check
from ..spec.yaml_reader import compose
from ..wording import display
from . import yaml_writer
from .published_engines import add_engines
from .read_registrations import Record, choose_records
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
    chosen = choose_records(request.paths, request.modelscope, request.family)
    return [_import(*one, request, one_of_many=len(chosen) > 1) for one in chosen]


def _import(
    path: Path, record: Record, other: Record | None, request: Request, *, one_of_many: bool
) -> Imported:
    data, issues = convert_record(record, other, request.given, int(path.stat().st_mtime))
    if request.pages:
        issues += add_engines(data, request.pages)
    folder = request.folder
    document = yaml_writer.format_document(data, dict(_find_comments(data)))
    text = _format_head(path, folder) + document
    target = f"{record['model_name']}.yaml"
    name = display(folder / target) if folder else target
    notes = [
        f"{display(path)}: {record['model_name']}: {format_path(issue.path)}: {issue.message}"
        for issue in issues
    ]
    return Imported(record["model_name"], text, notes, _find_problems(name, text, one_of_many))


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
