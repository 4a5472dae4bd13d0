"""The safetensors files of a checkpoint, opened; no weight is read before it is needed."""

from __future__ import annotations

from typing import Any

import torch

from ...checkpoint.config import CheckpointConfig
from ...checkpoint.merge_training_lora import add, merge
from ...checkpoint.unused_tensors import is_unused
from ...checkpoint.weight_files import FLOATS, list_weight_files, open_file
from ...errors import CheckpointError
from .awq_layout import is_integer


class _MergedSlice:
    """A weight to which its LoRA weights are added once it is read."""

    def __init__(self, weight: Any, lora_a: Any, lora_b: Any) -> None:
        self._parts = weight, lora_a, lora_b

    def __getitem__(self, index: Any) -> torch.Tensor:
        weight, lora_a, lora_b = (part[...] for part in self._parts)
        merged: torch.Tensor = add(weight, lora_a, lora_b)[index]
        return merged

    def get_dtype(self) -> str:
        return str(self._parts[0].get_dtype())

    def get_shape(self) -> list[int]:
        return list(self._parts[0].get_shape())


def open_weights(checkpoint: CheckpointConfig, *, packed: bool) -> dict[str, Any]:
    """The tensors of all files of the `checkpoint` as lazy slices, by their published names.

    Raises:
        CheckpointError: a file is missing, damaged or pickled, or a tensor is there twice or of a
            type that is not read; `packed` allows the integers of AWQ.
    """
    tensors: dict[str, Any] = {}
    for file in list_weight_files(checkpoint.path):
        for name, tensor in open_file(file).items():
            if is_unused(name):
                continue
            if name in tensors:
                raise CheckpointError(f"{file}: weight {name} is in another file of the folder too")
            types = ("I32",) if packed and is_integer(name) else FLOATS
            if tensor.get_dtype() not in types:
                raise CheckpointError(
                    f"{file}: weight {name} is of type {tensor.get_dtype()}, but must be "
                    f"{' or '.join(types)}; download it again"
                )
            tensors[name] = tensor
    return merge(tensors, checkpoint.lora_ranks, _MergedSlice)
