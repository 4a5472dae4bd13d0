"""Chooses the spec of a family that a launch means, and says what there is where none fits.

The host takes the first spec that fits, which is a quantized one where no quantization is asked
for, and calls the whole model not found where none fits.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ..errors import join_names
from ..patching import patch
from .our_families import find_our_family

UNQUANTIZED = "none"


def choose_unquantized(llm_family: ModuleType) -> None:
    """Let the host launch our families unquantized by default, or say which specs there are.

    Of several sizes it takes the first, which is the smallest.
    """
    patch(
        llm_family,
        "match_llm",
        functools.partial(_match_ours, llm_family),
        without="a launch without --quantization is one in 4 bit; name one",
    )


def _match_ours(llm_family: ModuleType, match: Callable[..., Any]) -> Any:
    signature = inspect.signature(match)

    def match_llm(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        asked = call.arguments
        family = find_our_family(asked["model_name"])
        if family is None:
            return match(*args, **kwargs)
        if not asked.get("quantization"):
            asked["quantization"] = choose_quantization(
                family.model_specs,
                asked.get("model_format"),
                functools.partial(_has_size, llm_family, asked.get("model_size_in_billions")),
            )
        found = match(*call.args, **call.kwargs)
        if found is None:
            raise ValueError(explain_missing(family, asked))
        return found

    return match_llm


def _has_size(llm_family: ModuleType, size: int | str | None, spec: Any) -> bool:
    return size is None or llm_family.match_model_size(size, spec.model_size_in_billions)


def choose_quantization(
    specs: Sequence[Any], model_format: str | None, has_size: Callable[[Any], bool]
) -> str | None:
    """Return the quantization of a launch that names none: `none` if there are such weights.

    Args:
        model_format: of the launch; None takes that of the first spec of the size.
        has_size: whether a spec has the size of the launch.
    """
    fitting = [spec for spec in specs if has_size(spec)]
    wanted = model_format or next((spec.model_format for spec in fitting), None)
    found = [spec.quantization for spec in fitting if spec.model_format == wanted]
    return UNQUANTIZED if UNQUANTIZED in found else next(iter(found), None)


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
