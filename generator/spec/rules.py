"""The rules that a schema cannot say: they compare one part of a spec with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..family.memory import BACKBONES
from ..family.model import EngineSupport, ModelSpec, model_spec
from ..problems import Issue, Path, listed, shown, suggestion
from . import source_rules


def check(data: Any, known: Iterable[Issue]) -> list[Issue]:
    """Return what is wrong between the parts of a spec.

    `known` is what is wrong already: an entry of `model_specs` that it touches is left out, so
    that the others are still checked in the same run.
    """
    if not isinstance(data, dict) or not isinstance(data.get("model_specs"), list):
        return []
    touched = {i.path[1] for i in known if len(i.path) > 1 and i.path[0] == "model_specs"}
    specs = {
        index: model_spec(entry)
        for index, entry in enumerate(data["model_specs"])
        if index not in touched
    }
    formats, towers = data.get("prompt_formats", {}), data.get("vision_towers", {})
    issues = list(_unique_specs(specs, not touched))
    for index, spec in specs.items():
        issues += source_rules.check(spec, ("model_specs", index))
        issues += _check_engines(spec, ("model_specs", index))
        if isinstance(formats, dict):
            issues += _prompt_format(spec, ("model_specs", index), formats)
        if isinstance(towers, dict):
            issues += _vision_tower(spec, ("model_specs", index), towers)
    return issues


def _unique_specs(specs: Mapping[int, ModelSpec], complete: bool) -> Iterator[Issue]:
    """Of two checkpoints with the same names on a hub, the host only ever launches the first."""
    taken = dict(find_shadowed(specs))
    for index, spec in specs.items():
        if index in taken and not spec.shadowed:
            remedy = "remove one of the two, or say 'shadowed: true' here"
            yield Issue(("model_specs", index), f"{taken[index]}; {remedy}")
        if spec.shadowed and index not in taken and complete:
            message = "no earlier checkpoint shadows this one; remove the key"
            yield Issue(("model_specs", index, "shadowed"), message, at_key=True)


def find_shadowed(specs: Mapping[int, ModelSpec]) -> Iterator[tuple[int, str]]:
    """Yield the checkpoints of which the host never launches a quantization, and which."""
    first: dict[tuple[str, ...], int] = {}
    for index, spec in specs.items():
        names = _launch_names(spec)
        if name := next((name for name in names if name in first), None):
            yield index, _taken(spec, name, first[name])
        first = dict.fromkeys(names, index) | first


def _launch_names(spec: ModelSpec) -> list[tuple[str, ...]]:
    # The host compares quantizations without regard to case.
    what = (spec.model_format, str(spec.size))
    return [(*what, q.lower(), s.hub) for s in spec.sources for q in s.quantizations]


def _taken(spec: ModelSpec, name: tuple[str, ...], earlier: int) -> str:
    model_format, size, quantization, hub = name
    shown_as = next(q for q in spec.all_quantizations if q.lower() == quantization)
    what = f"{model_format} of {size} billion with quantization {shown_as} on {hub}"
    return f"{what} is already model_specs[{earlier}]"


def _check_engines(spec: ModelSpec, path: Path) -> Iterator[Issue]:
    ours = spec.serving.engines if spec.serving else ()
    yield from _subsets(spec, ours, (*path, "engines"))
    yield from _subsets(spec, spec.published_engines or (), (*path, "published_engines"))


def _subsets(spec: ModelSpec, engines: Iterable[EngineSupport], path: Path) -> Iterator[Issue]:
    for support in engines:
        for index, quantization in enumerate(support.quantizations):
            if quantization not in spec.all_quantizations:
                own = f"the spec's quantizations {listed(spec.all_quantizations)}"
                message = f"{shown(quantization)} is not one of {own}; add it there or remove it"
                yield Issue((*path, support.engine, index), message)


def _prompt_format(spec: ModelSpec, path: Path, formats: Mapping[str, Any]) -> Iterator[Issue]:
    if spec.serving and (name := spec.serving.prompt_format) not in formats:
        hint = suggestion(name, formats) or "; describe it there"
        message = f"{shown(name)} is not one of the family's prompt_formats{hint}"
        yield Issue((*path, "prompt_format"), message)


def _vision_tower(spec: ModelSpec, path: Path, towers: Mapping[str, Any]) -> Iterator[Issue]:
    """What the memory of a checkpoint is computed from has to be there, and known."""
    if spec.vision_tower is None or spec.serving is None:
        return
    if spec.vision_tower not in towers:
        hint = suggestion(spec.vision_tower, towers) or "; describe it there"
        message = f"{shown(spec.vision_tower)} is not one of the family's vision_towers{hint}"
        yield Issue((*path, "vision_tower"), message)
    if missing := [key for key in source_rules.DIMENSIONS if key not in spec.dimensions]:
        message = f"the memory is unknown without {missing[0]!r}; add it, or remove 'vision_tower'"
        yield Issue((*path, "model_metadata"), message)
    if spec.serving.backbone not in BACKBONES:
        known = f"the language models whose memory is known, {listed(BACKBONES)}"
        message = f"{shown(spec.serving.backbone)} is not one of {known}; remove 'vision_tower'"
        yield Issue((*path, "backbone"), message)
