"""The memory that the weights of a checkpoint take, compared with what is free before they are
read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..machine import memory

_INTEGER = 4
"""Bytes of what AWQ packs weights into."""


def is_linear_layer(name: str, shape: Sequence[int]) -> bool:
    """Whether a weight is one that is quantized where that is done while loading."""
    return name.startswith("language_model.") and ".layers." in name and len(shape) == 2


def check_memory(
    path: Path, tensors: Mapping[str, Any], float_bytes: int, bits: int | None = None
) -> None:
    """Refuse what the system would kill the process for, without a word.

    Args:
        tensors: by their published names, unread.
        float_bytes: of a weight once it is loaded.
        bits: of one that is quantized while it is loaded; None quantizes none.

    Raises:
        CheckpointError: more than is free.
    """
    needed = int(sum(_bytes(name, each, float_bytes, bits) for name, each in tensors.items()))
    free = memory().free
    if needed > free:
        raise CheckpointError(
            f"the weights of {path} take {needed / 1e9:.1f} GB of memory, but only "
            f"{free / 1e9:.1f} GB are free; stop another model, or launch a smaller one"
        )


def _bytes(name: str, tensor: Any, float_bytes: int, bits: int | None) -> float:
    shape: list[int] = tensor.get_shape()
    if tensor.get_dtype() == "I32":
        return math.prod(shape) * _INTEGER
    if bits is not None and is_linear_layer(name, shape):
        return math.prod(shape) * bits / 8
    return math.prod(shape) * float_bytes
