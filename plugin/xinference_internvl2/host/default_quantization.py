"""Lets a launch that names no quantization take unquantized weights, where there are any.

The host would take the first spec that fits, which is a quantized one. Where none fits it would
call the whole model not found; `missing_spec` says what there is.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ..patching import patch
from .missing_spec import explain_missing
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
