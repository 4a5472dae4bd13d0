"""Read registrations of the host, of whatever age, as records of its catalog of today.

With Python's own JSON reader, which hands over every pair of a mapping: a key that stands twice is
refused, where the faster ones keep the last value and drop the others in silence.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from ..problems import Issue, Problem, ReadError, RunError, SpecError, display, show
from ..spec import schema
from ..spec.text_file import read_text

_MAX_BYTES = 1 << 24
_SPEC_KEYS = ("model_format", "model_size_in_billions", "activated_size_in_billions")
_DEFAULT_HUB = "huggingface"
# What the host itself sets in a record when it runs.
_RUNTIME_KEYS = ("model_hub", "quantization", "model_uri")

Record = dict[str, Any]


def read(path: FilePath) -> list[Record]:
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


def read_by_name(path: FilePath) -> dict[str, Record]:
    """Return the records of a catalog of ModelScope by the names of their families."""
    found: dict[str, Record] = {}
    names: set[str] = set()
    for record in read(path):
        name = record["model_name"]
        check_name(path, name, names)
        specs = [{"model_hub": "modelscope"} | spec for spec in record["model_specs"]]
        found[name] = {**record, "model_specs": specs}
    return found


def check_name(path: FilePath, name: str, taken: set[str]) -> None:
    """Raise `RunError` for a name that cannot be that of one more file."""
    if not schema.is_name(name):
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


def modernize(record: Record, modelscope: Record | None) -> tuple[Record, list[Issue]]:
    """Return a record with `model_src` in every spec, and what has no place in that.

    `modelscope` is the record of the same family in the catalog that older hosts had for that hub.
    """
    issues: list[Issue] = []
    specs: list[Record] = []
    for index, spec in enumerate(record["model_specs"]):
        path = ("model_specs", index)
        if "model_src" in spec:
            specs.append(_drop_legacy(spec, path, issues))
        else:
            _add_source(specs, *_split_source(spec, path, issues))
    if modelscope is not None:
        issues += _compare_texts(record, modelscope)
        for spec in modelscope["model_specs"]:
            _add_source(specs, *_split_source({"model_hub": "modelscope"} | spec, (), []))
    return {**record, "model_specs": specs}, issues


def _drop_legacy(spec: Record, path: tuple[str | int, ...], issues: list[Issue]) -> Record:
    if "quantizations" not in spec:
        return spec
    message = "beside 'model_src' Xinference does not read it; left out"
    issues.append(Issue((*path, "quantizations"), message))
    return {key: value for key, value in spec.items() if key != "quantizations"}


def _split_source(
    spec: Mapping[str, Any], path: tuple[str | int, ...], issues: list[Issue]
) -> tuple[Record, str, Record]:
    """Split a spec of one hub: what it says of itself, its hub, and what the hub has."""
    hub = spec.get("model_hub") or _DEFAULT_HUB
    if spec.get("model_uri"):
        message = "a place on one machine; left out, launch with --model-path instead"
        issues.append(Issue((*path, "model_uri"), message))
    quantizations = spec.get("quantizations") or [spec.get("quantization") or "none"]
    own = {key: spec[key] for key in _SPEC_KEYS if key in spec}
    rest = {k: v for k, v in spec.items() if k not in (*_SPEC_KEYS, *_RUNTIME_KEYS)}
    return own, hub, {**rest, "quantizations": quantizations}


def _add_source(specs: list[Record], own: Record, hub: str, source: Record) -> None:
    """Add the source of a hub to the spec that it belongs to, or as one of its own."""
    same = [s for s in specs if all(s.get(key) == own.get(key) for key in _SPEC_KEYS)]
    for spec in same:
        # A custom registration has one entry for each quantization.
        there = spec["model_src"].get(hub)
        if there and _drop_quantizations(there) == _drop_quantizations(source):
            known = there.get("quantizations") or ()
            there["quantizations"] = list(dict.fromkeys([*known, *source["quantizations"]]))
            return
    free = [spec for spec in same if hub not in spec["model_src"]]
    for spec in sorted(free, key=lambda spec: -_count_shared(spec, source)):
        if _count_shared(spec, source):
            spec["model_src"][hub] = source
            return
    specs.append({**own, "model_src": {hub: source}})


def _drop_quantizations(source: Record) -> Record:
    return {key: value for key, value in source.items() if key != "quantizations" and value}


def _count_shared(spec: Record, source: Record) -> int:
    """Count the quantizations that a source has in common with those of a spec's other hubs."""
    others = {q for s in spec["model_src"].values() for q in s.get("quantizations") or ()}
    return len(others & set(source["quantizations"]))


def _compare_texts(record: Record, modelscope: Record) -> Iterator[Issue]:
    for key in modelscope:
        if key != "model_specs" and modelscope[key] != record.get(key):
            yield Issue((key,), "the catalog for ModelScope says something else; that is left out")
