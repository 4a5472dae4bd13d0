"""Read registrations of the host, of whatever age, and choose the families that are asked for.

With Python's own JSON reader, which hands over every pair of a mapping: a key that stands twice is
refused, where the faster ones keep the last value and drop the others in silence.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

from ..problems import Problem, ReadError, RunError, SpecError
from ..spec.check_against_schema import is_name
from ..spec.text_file import read_text
from ..wording import display, show

_MAX_BYTES = 1 << 24

Record = dict[str, Any]


def choose_records(
    paths: Sequence[FilePath], modelscope: FilePath | None, family: str | None
) -> list[tuple[FilePath, Record, Record | None]]:
    """Return of each family the file, the record and that of the catalog for ModelScope.

    Of one family alone, where it is given. Raises `SpecError` or `RunError`.
    """
    chosen = list(_choose_records(paths, modelscope, family))
    if not chosen:
        message = f"no family is called {show(family)}; correct it"
        raise RunError(message, paths[0] if len(paths) == 1 else None)
    return chosen


def _choose_records(
    paths: Iterable[FilePath], modelscope: FilePath | None, family: str | None
) -> Iterator[tuple[FilePath, Record, Record | None]]:
    others = _read_by_name(modelscope) if modelscope else {}
    names: set[str] = set()
    for path in paths:
        for record in _read(path):
            name = record["model_name"]
            if family in (None, name):
                _check_name(path, name, names)
                yield path, record, others.pop(name, None)
    for name, record in others.items():
        if modelscope and family in (None, name):
            _check_name(modelscope, name, names)
            yield modelscope, record, None


def _read(path: FilePath) -> list[Record]:
    """Return the records of a registration; raises `SpecError` or `RunError`."""
    try:
        data = json.loads(read_text(path, _MAX_BYTES), object_pairs_hook=_make_mapping)
    except ReadError as error:
        raise _refuse(path, error.line, error.column, error.message) from None
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg}; correct it"
        raise _refuse(path, error.lineno, error.colno, message) from None
    except _TwiceError as error:
        raise RunError(str(error), path) from None
    except (RecursionError, ValueError):
        raise RunError("nested too deep, or a number too long; correct it", path) from None
    records = data if isinstance(data, list) else [data]
    if not records or not all(_is_record(record) for record in records):
        what = "a mapping with 'model_name' and 'model_specs', or a list of such"
        raise RunError(f"this is no registration ({what}); name another file", path)
    return records


def _read_by_name(path: FilePath) -> dict[str, Record]:
    """Return the records of a catalog of ModelScope by the names of their families."""
    found: dict[str, Record] = {}
    names: set[str] = set()
    for record in _read(path):
        name = record["model_name"]
        _check_name(path, name, names)
        specs = [{"model_hub": "modelscope"} | spec for spec in record["model_specs"]]
        found[name] = {**record, "model_specs": specs}
    return found


def _check_name(path: FilePath, name: str, taken: set[str]) -> None:
    """Raise `RunError` for a name that cannot be that of one more file."""
    if not is_name(name):
        raise RunError(f"{show(name)} cannot be the name of a file; rename the family", path)
    # A catalog may hold several records of a name, one for each engine. A spec holds one.
    if name.casefold() in taken:
        message = f"{show(name)} is there twice, but a spec is one record; rename one of them"
        raise RunError(message, path)
    taken.add(name.casefold())


class _TwiceError(Exception):
    """A key stands twice in a mapping."""


def _make_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _TwiceError(f"the key {show(twice)} stands twice in a mapping; remove one")
    return data


def _refuse(path: FilePath, line: int, column: int, message: str) -> SpecError:
    return SpecError([Problem(display(path), line, column, "$", message)])


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("model_name"), str):
        return False
    specs = record.get("model_specs")
    return isinstance(specs, list) and bool(specs) and all(_is_spec(spec) for spec in specs)


def _is_spec(spec: Any) -> bool:
    if not isinstance(spec, dict):
        return False
    if "model_src" in spec:
        sources = spec["model_src"]
        return isinstance(sources, dict) and all(map(_is_source, sources.values()))
    names = (spec.get("model_hub"), spec.get("quantization"))
    return all(isinstance(name, str | None) for name in names) and _is_source(spec)


def _is_source(source: Any) -> bool:
    if not isinstance(source, dict):
        return False
    quantizations = source.get("quantizations") or []
    return isinstance(quantizations, list) and all(isinstance(q, str) for q in quantizations)
