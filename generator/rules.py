"""The rules that a schema cannot say: they compare one part of a spec with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .model import EngineSupport, ModelSpec, model_spec
from .problems import Issue, Path, listed, shown, suggestion


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
    formats = data.get("prompt_formats", {})
    issues = list(_unique_specs(specs))
    for index, spec in specs.items():
        issues += _served(spec, ("model_specs", index))
        if isinstance(formats, dict):
            issues += _prompt_format(spec, ("model_specs", index), formats)
    return issues


def _unique_specs(specs: Mapping[int, ModelSpec]) -> Iterator[Issue]:
    first: dict[tuple[str, int | str], int] = {}
    for index, spec in specs.items():
        earlier = first.setdefault((spec.model_format, spec.size), index)
        if earlier != index:
            what = f"{spec.model_format} of {spec.size} billion"
            message = f"{what} is already model_specs[{earlier}]; remove one of the two"
            yield Issue(("model_specs", index), message)


def _served(spec: ModelSpec, path: Path) -> Iterator[Issue]:
    ours = spec.serving.engines if spec.serving else ()
    yield from _subsets(spec, ours, (*path, "engines"))
    yield from _subsets(spec, spec.published_engines or (), (*path, "published_engines"))


def _subsets(spec: ModelSpec, engines: Iterable[EngineSupport], path: Path) -> Iterator[Issue]:
    for support in engines:
        for index, quantization in enumerate(support.quantizations):
            if quantization not in spec.quantizations:
                own = f"the spec's quantizations {listed(spec.quantizations)}"
                message = f"{shown(quantization)} is not one of {own}; add it there or remove it"
                yield Issue((*path, support.engine, index), message)


def _prompt_format(spec: ModelSpec, path: Path, formats: Mapping[str, Any]) -> Iterator[Issue]:
    if spec.serving and (name := spec.serving.prompt_format) not in formats:
        hint = suggestion(name, formats) or "; describe it there"
        message = f"{shown(name)} is not one of the family's prompt_formats{hint}"
        yield Issue((*path, "prompt_format"), message)
