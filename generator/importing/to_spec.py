"""A registration as the data of a spec: what is left out of it, and what it still lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..family.catalog_keys import SOURCE_SETTINGS
from ..family.model import make_model_spec
from ..problems import Issue, Path
from ..spec.check_against_schema import load_definition
from ..spec.shadowed_specs import find_shadowed
from .merge_entries import merge_entries
from .read_registrations import Record

# The page shows what Hugging Face has; the others say where they differ.
_LEADING_HUBS = ("huggingface", "modelscope")
_DEFAULT_CONTEXT_LENGTH = 2048
# Dimensions stand together: a few in common do not.
_WORTH_SHARING = 5
# Keys that say nothing, with the values for which that is so.
_SILENT = {"version": (1, 2), "is_builtin": (False,), "inherit_pip_config": (True,)}


def convert_record(
    record: Record, modelscope: Record | None, given: Mapping[str, Any], changed_at: int
) -> tuple[Record, list[Issue]]:
    """Return the data of a spec, and what has no place in it or is still missing.

    `modelscope` is the record in the catalog that older hosts had for that hub, `given` are keys
    that the record may lack, `changed_at` stands in for a missing time of the last change.
    """
    issues: list[Issue] = []
    of_modelscope = None if modelscope is None else _drop_places(modelscope, [])
    merged, more = merge_entries(_drop_places(record, issues), of_modelscope)
    issues += [*more, *_compare_given(record, given)]
    specs = [
        _convert_spec(spec, ("model_specs", index), issues)
        for index, spec in enumerate(merged["model_specs"])
    ]
    _mark_shadowed(specs, issues)
    data = {**given, **merged}
    complete = {**data, **_fill_missing(data, changed_at, issues), "model_specs": specs}
    return _fit(complete, load_definition(), (), issues), issues


def _drop_places(record: Record, issues: list[Issue]) -> Record:
    """Return a record without the folders and URLs in which one machine has its checkpoints."""
    for index, spec in enumerate(record["model_specs"]):
        if spec.get("model_uri"):
            message = "a place on one machine; left out, launch with --model-path instead"
            issues.append(Issue(("model_specs", index, "model_uri"), message))
    specs = [{k: v for k, v in spec.items() if k != "model_uri"} for spec in record["model_specs"]]
    return {**record, "model_specs": specs}


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


def _fill_missing(record: Record, changed_at: int, issues: list[Issue]) -> Record:
    stand_ins = {
        "updated_at": (changed_at, "the time when the file was changed"),
        "context_length": (_DEFAULT_CONTEXT_LENGTH, "Xinference's default"),
        "model_description": (record["model_name"], "the name"),
    }
    found = {}
    for key, (value, what) in stand_ins.items():
        if record.get(key) in (None, ""):
            found[key] = value
            issues.append(Issue((key,), f"not in the registration; {what} stands in for it"))
    return found


def _convert_spec(spec: Record, path: Path, issues: list[Issue]) -> Record:
    sources = {
        hub: {key: value for key, value in source.items() if value is not None}
        for hub, source in spec["model_src"].items()
    }
    _factor_quantizations(sources, path, issues)
    shared = _find_shared(sources)
    common = _find_common(list(sources.values())) if len(sources) > 1 else {}
    if common:
        shared["model_metadata"] = common
    own = {key: value for key, value in spec.items() if key != "model_src"}
    for key in ("model_size_in_billions", "activated_size_in_billions"):
        if key in own:
            own[key] = _convert_size(own[key], (*path, key), issues)
    model_src = {hub: _find_own(source, shared) for hub, source in sources.items()}
    return {**own, **shared, "model_src": model_src}


def _find_own(source: Record, shared: Record) -> Record:
    """Return what a hub says beyond what is said for all."""
    own = {key: value for key, value in source.items() if shared.get(key) != value}
    if "model_metadata" in own:
        own["model_metadata"] = _subtract(own["model_metadata"], shared.get("model_metadata", {}))
    return own


def _subtract(metadata: Record, common: Record) -> Record:
    return {key: value for key, value in metadata.items() if common.get(key) != value}


def _find_common(sources: list[Record]) -> Record:
    """Return the dimensions that all of the sources have."""
    found = [source.get("model_metadata") for source in sources]
    if not all(isinstance(metadata, dict) for metadata in found):
        return {}
    first = found[0] or {}
    common = {k: v for k, v in first.items() if all(m and k in m and m[k] == v for m in found)}
    return common if len(common) >= _WORTH_SHARING else {}


def _factor_quantizations(sources: Mapping[str, Record], path: Path, issues: list[Issue]) -> None:
    """Move the dimensions that all quantizations of a source share to the source itself."""
    for hub, source in sources.items():
        of_each = source.get("model_metadata_by_quantization")
        if not isinstance(of_each, dict) or not all(isinstance(m, dict) for m in of_each.values()):
            continue
        if source.pop("model_metadata", None) is not None:
            message = (
                "beside 'model_metadata_by_quantization' Xinference does not read it; left out"
            )
            issues.append(Issue((*path, "model_src", hub, "model_metadata"), message))
        common = _find_common([{"model_metadata": metadata} for metadata in of_each.values()])
        if len(of_each) > 1 and common:
            source["model_metadata"] = common
            rest = {q: _subtract(metadata, common) for q, metadata in of_each.items()}
            source["model_metadata_by_quantization"] = rest


def _find_shared(sources: Mapping[str, Record]) -> Record:
    """Return what a checkpoint says for all of its hubs."""
    leading = next((sources[hub] for hub in _LEADING_HUBS if hub in sources), None)
    first = leading or next(iter(sources.values()), {})
    shared = {"quantizations": first["quantizations"]} if "quantizations" in first else {}
    if len(sources) > 1:
        for key in SOURCE_SETTINGS:
            if all(key in s and s[key] == first.get(key) for s in sources.values()):
                shared[key] = first[key]
    return shared


def _convert_size(size: Any, path: Path, issues: list[Issue]) -> Any:
    """Return a size as the format writes it; the host reads 9 and "9" as the same."""
    written = size
    if isinstance(size, float):
        written = int(size) if size.is_integer() else str(size).replace(".", "_")
    elif isinstance(size, str) and size.isascii() and size.isdigit():
        written = int(size)
    if written is not size:
        issues.append(Issue(path, f"{size!r} is written as {written}, which means the same"))
    return written


def _mark_shadowed(specs: list[Record], issues: list[Issue]) -> None:
    try:
        models = {index: make_model_spec(spec) for index, spec in enumerate(specs)}
        found = list(find_shadowed(models))
    except (KeyError, TypeError, AttributeError):
        return  # the check of the written spec says what is wrong
    for index, message in found:
        specs[index]["shadowed"] = True
        issues.append(Issue(("model_specs", index), f"{message}; marked as shadowed"))


def _fit(value: Any, schema: Mapping[str, Any], path: Path, issues: list[Issue]) -> Any:
    """Return a value in the order of the schema, without what the schema does not know."""
    if isinstance(value, list) and "items" in schema:
        return [_fit(v, schema["items"], (*path, i), issues) for i, v in enumerate(value)]
    if not isinstance(value, dict) or schema.get("type") != "object":
        return value
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    # The host reads the hubs in the order of a record.
    first = () if path[-1:] == ("model_src",) else properties
    order = dict.fromkeys([*(key for key in first if key in value), *value])
    fitted = {}
    for key in order:
        inner, known = value[key], properties.get(key, others)
        if inner is None or inner in _SILENT.get(key, ()):
            continue
        if known:
            fitted[key] = _fit(inner, known, (*path, key), issues)
        else:
            issues.append(Issue((*path, key), "the format has no such key; left out"))
    return fitted
