"""Merge the entries that older registrations have for each hub and quantization of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..problems import Issue, Path
from .read_registrations import Record

_SPEC_KEYS = ("model_format", "model_size_in_billions", "activated_size_in_billions")
_DEFAULT_HUB = "huggingface"
# What the host itself sets in a record when it runs.
_RUNTIME_KEYS = ("model_hub", "quantization")


def merge_entries(record: Record, modelscope: Record | None) -> tuple[Record, list[Issue]]:
    """Return a record with `model_src` in every spec, and what has no place in that.

    `modelscope` is the record of the same family in the catalog that older hosts had for that hub.
    """
    issues: list[Issue] = []
    specs: list[Record] = []
    for index, spec in enumerate(record["model_specs"]):
        if "model_src" in spec:
            specs.append(_drop_legacy(spec, ("model_specs", index), issues))
        else:
            _add_source(specs, *_split_source(spec))
    if modelscope is not None:
        issues += _compare_texts(record, modelscope)
        for spec in modelscope["model_specs"]:
            _add_source(specs, *_split_source({"model_hub": "modelscope"} | spec))
    return {**record, "model_specs": specs}, issues


def _drop_legacy(spec: Record, path: Path, issues: list[Issue]) -> Record:
    if "quantizations" not in spec:
        return spec
    message = "beside 'model_src' Xinference does not read it; left out"
    issues.append(Issue((*path, "quantizations"), message))
    return {key: value for key, value in spec.items() if key != "quantizations"}


def _split_source(spec: Mapping[str, Any]) -> tuple[Record, str, Record]:
    """Split a spec of one hub: what it says of itself, its hub, and what the hub has."""
    hub = spec.get("model_hub") or _DEFAULT_HUB
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
