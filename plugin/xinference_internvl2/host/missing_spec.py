"""Says which formats, quantizations and sizes there are, where a launch fits none of the specs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import join_names


def explain_missing(family: Any, asked: dict[str, Any]) -> str:
    """Return a sentence on what a family has in place of the spec that a launch asks for."""
    specs, name = family.model_specs, family.model_name
    wanted, size = asked.get("model_format"), asked.get("model_size_in_billions")
    formats = [spec.model_format for spec in specs]
    if wanted and wanted not in formats:
        return f"{name} has no format {wanted}; its formats are {join_names(formats)}."
    specs = [spec for spec in specs if not wanted or spec.model_format == wanted]
    what = f"{name} in format {wanted}" if wanted else name
    if quantization := asked.get("quantization"):
        fitting = [spec for spec in specs if _equals(spec.quantization, quantization)]
        if not fitting:
            return f"{what} {_explain_quantization(family.model_specs, specs, quantization)}"
        specs, what = fitting, f"{what} with quantization {quantization}"
    sizes = join_names(str(spec.model_size_in_billions) for spec in specs)
    return f"{what} has no size {size} (in billions of parameters); its sizes are {sizes}."


def _explain_quantization(every: Sequence[Any], specs: Sequence[Any], quantization: str) -> str:
    others = [spec.model_format for spec in every if _equals(spec.quantization, quantization)]
    hint = f"; {quantization} is of format {join_names(others)}" if others else ""
    known = join_names(spec.quantization for spec in specs)
    return f"has no quantization {quantization}, only {known}{hint}."


def _equals(one: str, other: str) -> bool:
    return one.lower() == other.lower()
