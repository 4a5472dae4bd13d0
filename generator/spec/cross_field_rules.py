"""The rules that a schema cannot say: they compare one part of a spec with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..family.model import EngineSupport, ModelSpec, make_model_spec
from ..problems import Issue, Path
from ..wording import join_quoted, show, suggest
from .dimension_rules import check_dimensions, check_vision_tower
from .gguf_rules import check_gguf_files
from .shadowed_specs import check_shadowed


def check(data: Any, known: Iterable[Issue]) -> list[Issue]:
    """Return what is wrong between the parts of a spec.

    `known` is what is wrong already: an entry of `model_specs` that it touches is left out, so
    that the others are still checked in the same run.
    """
    if not isinstance(data, dict) or not isinstance(data.get("model_specs"), list):
        return []
    touched = {i.path[1] for i in known if len(i.path) > 1 and i.path[0] == "model_specs"}
    specs = {
        index: make_model_spec(entry)
        for index, entry in enumerate(data["model_specs"])
        if index not in touched
    }
    formats, towers = data.get("prompt_formats", {}), data.get("vision_towers", {})
    issues = list(check_shadowed(specs, complete=not touched))
    for index, spec in specs.items():
        path = ("model_specs", index)
        issues += check_dimensions(spec, path)
        issues += check_gguf_files(spec, path)
        issues += _check_engines(spec, path)
        if isinstance(formats, dict):
            issues += _check_prompt_format(spec, path, formats)
        if isinstance(towers, dict):
            issues += check_vision_tower(spec, path, towers)
    return issues


def _check_engines(spec: ModelSpec, path: Path) -> Iterator[Issue]:
    ours = spec.serving.engines if spec.serving else ()
    yield from _check_subsets(spec, ours, (*path, "engines"))
    yield from _check_subsets(spec, spec.published_engines or (), (*path, "published_engines"))


def _check_subsets(
    spec: ModelSpec, engines: Iterable[EngineSupport], path: Path
) -> Iterator[Issue]:
    for support in engines:
        for index, quantization in enumerate(support.quantizations):
            if quantization not in spec.all_quantizations:
                own = f"the spec's quantizations {join_quoted(spec.all_quantizations)}"
                message = f"{show(quantization)} is not one of {own}; add it there or remove it"
                yield Issue((*path, support.engine, index), message)


def _check_prompt_format(
    spec: ModelSpec, path: Path, formats: Mapping[str, Any]
) -> Iterator[Issue]:
    if spec.serving and (name := spec.serving.prompt_format) not in formats:
        hint = suggest(name, formats) or "; describe it there"
        message = f"{show(name)} is not one of the family's prompt_formats{hint}"
        yield Issue((*path, "prompt_format"), message)
