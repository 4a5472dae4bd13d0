"""Refuses a checkpoint whose weights take more memory than is free, before any is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..system_memory import memory
from .linear_layers import is_linear_layer

_INTEGER = 4
"""Bytes of an int32, into which AWQ packs weights."""


def check_memory(
    path: Path, tensors: Mapping[str, Any], float_bytes: int, bits: int | None = None
) -> None:
    """Check that the weights fit into free memory: the system would kill the process silently.

    Args:
        path: the folder of the checkpoint, for the message.
        tensors: lazy slices by their published names.
        float_bytes: bytes of a loaded weight that is not quantized.
        bits: bits of a weight that is quantized while it is loaded; None quantizes none.

    Raises:
        CheckpointError: the weights take more memory than is free.
    """
    needed = int(sum(_count_bytes(name, each, float_bytes, bits) for name, each in tensors.items()))
    free = memory().free
    if needed > free:
        raise CheckpointError(
            f"the weights of {path} take {needed / 1e9:.1f} GB of memory, but only "
            f"{free / 1e9:.1f} GB are free; stop another model, or launch a smaller one"
        )


def _count_bytes(name: str, tensor: Any, float_bytes: int, bits: int | None) -> float:
    shape: list[int] = tensor.get_shape()
    if tensor.get_dtype() == "I32":
        return math.prod(shape) * _INTEGER
    if bits is not None and is_linear_layer(name, shape):
        return math.prod(shape) * bits / 8
    return math.prod(shape) * float_bytes
