"""Checkpoints that are never launched: of the same names, the host takes the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..family.model import ModelSpec
from ..problems import Issue


def check_shadowed(specs: Mapping[int, ModelSpec], *, complete: bool) -> Iterator[Issue]:
    """Yield checkpoints that are never launched and do not say so, or say so wrongly.

    `complete` says that `specs` are all of the family.
    """
    taken = dict(find_shadowed(specs))
    for index, spec in specs.items():
        if index in taken and not spec.shadowed:
            remedy = "remove one of the two, or say 'shadowed: true' here"
            yield Issue(("model_specs", index), f"{taken[index]}; {remedy}")
        if spec.shadowed and index not in taken and complete:
            message = "no earlier checkpoint shadows this one; remove the key"
            yield Issue(("model_specs", index, "shadowed"), message, at_key=True)


def find_shadowed(specs: Mapping[int, ModelSpec]) -> Iterator[tuple[int, str]]:
    """Yield each checkpoint of which the host never launches a quantization, and the reason."""
    first: dict[tuple[str, ...], int] = {}
    for index, spec in specs.items():
        names = _list_launch_names(spec)
        if name := next((name for name in names if name in first), None):
            yield index, _describe_taken(spec, name, first[name])
        first = dict.fromkeys(names, index) | first


def _list_launch_names(spec: ModelSpec) -> list[tuple[str, ...]]:
    # The host compares quantizations without regard to case.
    what = (spec.model_format, str(spec.size))
    return [(*what, q.lower(), s.hub) for s in spec.sources for q in s.quantizations]


def _describe_taken(spec: ModelSpec, name: tuple[str, ...], earlier: int) -> str:
    model_format, size, quantization, hub = name
    shown_as = next(q for q in spec.all_quantizations if q.lower() == quantization)
    what = f"{model_format} of {size} billion with quantization {shown_as} on {hub}"
    return f"{what} is already model_specs[{earlier}]"
