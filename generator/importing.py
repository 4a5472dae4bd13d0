"""Turn registrations of the host into specs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from . import registrations, yamlwriter
from .convert import spec_data
from .families import ROOT, check, display
from .problems import Problem, format_path
from .registrations import Record
from .schema import SCHEMA_FILE
from .source import Document, SpecError
from .yamltree import compose


@dataclass(frozen=True, slots=True)
class Imported:
    """A family that was imported."""

    name: str
    text: str
    notes: list[str]
    """What the format cannot say, or says in another way."""
    problems: list[Problem]
    """What is still to be completed in the spec."""


def imported(
    paths: Iterable[Path], modelscope: Path | None, family: str | None, folder: Path | None
) -> list[Imported]:
    """Import every family of the registrations; raises `SpecError`."""
    others = _by_name(modelscope) if modelscope else {}
    found: list[Imported] = []
    names: set[str] = set()
    for path in paths:
        for record in [*registrations.read(path, display(path))]:
            name = record["model_name"]
            if family in (None, name):
                if name.casefold() in names:
                    raise SpecError([_twice(path, name)])
                names.add(name.casefold())
                found.append(_one(path, record, others.pop(name, None), folder))
    if modelscope:
        found += [
            _one(modelscope, r, None, folder) for n, r in others.items() if family in (None, n)
        ]
    if not found:
        where = ", ".join(display(path) for path in paths)
        raise SpecError([Problem(where, 1, 1, "$", f"no family is called {family!r}; correct it")])
    return found


def _by_name(path: Path) -> dict[str, Record]:
    records = registrations.read(path, display(path))
    return {
        record["model_name"]: {
            **record,
            "model_specs": [{"model_hub": "modelscope"} | spec for spec in record["model_specs"]],
        }
        for record in records
    }


def _twice(path: Path, name: str) -> Problem:
    message = f"{name!r} is there twice, and a spec has one family of a name; rename one of them"
    return Problem(display(path), 1, 1, "$", message)


def _one(path: Path, record: Record, other: Record | None, folder: Path | None) -> Imported:
    modern, issues = registrations.modernized(record, other)
    data, more = spec_data(modern, int(path.stat().st_mtime))
    text = _comment(path, folder) + yamlwriter.document(data, dict(_comments(data)))
    target = f"{record['model_name']}.yaml"
    name = display(folder / target) if folder else target
    document = Document(name, *compose(text))
    notes = [
        f"{display(path)}: {record['model_name']}: {format_path(issue.path)}: {issue.message}"
        for issue in [*issues, *more]
    ]
    return Imported(record["model_name"], text, notes, check(document))


def _comment(path: Path, folder: Path | None) -> str:
    schema = SCHEMA_FILE.name
    if folder and folder.resolve().is_relative_to(ROOT):
        schema = Path(os.path.relpath(SCHEMA_FILE, folder.resolve())).as_posix()
    return f"# yaml-language-server: $schema={schema}\n#\n# Imported from {path.name}.\n\n"


def _comments(data: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    updated = data.get("updated_at")
    if isinstance(updated, int) and 0 <= updated < 1 << 37:
        yield "updated_at", f"{datetime.fromtimestamp(updated, timezone.utc):%Y-%m-%d}"
