"""Which library a quantization needs on Transformers, and what to install where it is missing."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple


class _Library(NamedTuple):
    """What computes a quantization on Transformers, and whether the family's registration has it
    installed into a virtual environment of the host."""

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


def missing_library(quantization: str | None, *, virtual_env: bool = False) -> str | None:
    """Why Transformers cannot serve the quantization here, or in a virtual environment of the host;
    None if it can."""
    library = _LIBRARIES.get((quantization or "none").lower())
    if library is None or (virtual_env and library.in_virtual_env):
        return None
    if importlib.util.find_spec(library.name) is not None:
        return None
    return (
        f"Transformers computes {library.weights} weights with {library.name}, which is not "
        f"installed; install it with pip install 'xinference-internvl2[{library.extra}]'"
    )
