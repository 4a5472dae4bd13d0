"""The rules that a schema cannot say: they compare one part of a spec with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..family.memory import BACKBONES
from ..family.model import EngineSupport, ModelSpec, make_model_spec
from ..problems import Issue, Path, join_quoted, show, suggest
from . import source_rules
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
        issues += source_rules.check(spec, ("model_specs", index))
        issues += _check_engines(spec, ("model_specs", index))
        if isinstance(formats, dict):
            issues += _check_prompt_format(spec, ("model_specs", index), formats)
        if isinstance(towers, dict):
            issues += _check_vision_tower(spec, ("model_specs", index), towers)
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


def _check_vision_tower(spec: ModelSpec, path: Path, towers: Mapping[str, Any]) -> Iterator[Issue]:
    """Yield what the memory of a checkpoint cannot be computed without."""
    if spec.vision_tower is None or spec.serving is None:
        return
    if spec.vision_tower not in towers:
        hint = suggest(spec.vision_tower, towers) or "; describe it there"
        message = f"{show(spec.vision_tower)} is not one of the family's vision_towers{hint}"
        yield Issue((*path, "vision_tower"), message)
    if missing := [key for key in source_rules.DIMENSIONS if key not in spec.dimensions]:
        message = f"the memory is unknown without {missing[0]!r}; add it, or remove 'vision_tower'"
        yield Issue((*path, "model_metadata"), message)
    if spec.serving.backbone not in BACKBONES:
        known = f"the language models whose memory is known, {join_quoted(BACKBONES)}"
        message = f"{show(spec.serving.backbone)} is not one of {known}; remove 'vision_tower'"
        yield Issue((*path, "backbone"), message)
