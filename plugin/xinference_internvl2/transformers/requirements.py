"""Which library a quantization needs on Transformers, and what to install where it is missing."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple


class _Library(NamedTuple):
    """A library that computes quantized weights on Transformers.

    Attributes:
        extra: the extra of this distribution that installs it.
        in_virtual_env: whether the host installs it into a model's virtual environment.
        weights: what it computes, in words.
    """

    name: str
    extra: str
    in_virtual_env: bool
    weights: str


_BITS = _Library("bitsandbytes", "transformers", True, "4-bit and 8-bit")
_LIBRARIES = {
    "int4": _Library("gptqmodel", "awq", False, "AWQ"),
    "4-bit": _BITS,
    "8-bit": _BITS,
}


def explain_missing_library(quantization: str | None, *, virtual_env: bool = False) -> str | None:
    """Return why Transformers cannot serve the quantization, or None if it can.

    Args:
        virtual_env: whether the model gets a virtual environment of the host.
    """
    library = _LIBRARIES.get((quantization or "none").lower())
    if library is None or (virtual_env and library.in_virtual_env):
        return None
    if importlib.util.find_spec(library.name) is not None:
        return None
    return (
        f"Transformers computes {library.weights} weights with {library.name}, which is not "
        f"installed; install it with pip install 'xinference-internvl2[{library.extra}]'"
    )
