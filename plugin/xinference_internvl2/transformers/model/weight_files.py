"""The safetensors files of a checkpoint, opened; no weight is read before it is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from ...checkpoint.config import CheckpointConfig
from ...checkpoint.json_files import read_object
from ...checkpoint.safetensors_file import FLOATS, open_file
from ...checkpoint.stored_weights import add, is_unused, merge
from ...errors import CheckpointError
from .weight_names import INTEGERS

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_FILE_NAME = re.compile(r"[\w.-]{1,200}\.safetensors", re.ASCII)


class _Merged:
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
    for file in weight_files(checkpoint.path):
        for name, tensor in open_file(file).items():
            if is_unused(name):
                continue
            if name in tensors:
                raise CheckpointError(f"{file}: weight {name} is in another file of the folder too")
            types = ("I32",) if packed and name.endswith(INTEGERS) else FLOATS
            if tensor.get_dtype() not in types:
                raise CheckpointError(
                    f"{file}: weight {name} is of type {tensor.get_dtype()}, but must be "
                    f"{' or '.join(types)}; download it again"
                )
            tensors[name] = tensor
    return merge(tensors, checkpoint.lora_ranks, _Merged)


def weight_files(path: Path) -> list[Path]:
    """Return the files that hold the weights; raises CheckpointError where there are none."""
    index = path / "model.safetensors.index.json"
    if index.exists():
        return _indexed_files(index)
    if (path / "model.safetensors").exists():
        return [path / "model.safetensors"]
    pickled = sorted(file.name for file in path.iterdir() if file.suffix in _PICKLED)
    if pickled:
        raise CheckpointError(
            f"{path} has only pickled weights ({pickled[0]}), which could run code when opened; "
            "convert them to safetensors or download the safetensors files"
        )
    raise CheckpointError(f"{path} has no model.safetensors; download the weights")


def _indexed_files(index: Path) -> list[Path]:
    weight_map = read_object(index).get("weight_map")
    names = list(weight_map.values()) if isinstance(weight_map, dict) else []
    if not names or not all(isinstance(x, str) and _FILE_NAME.fullmatch(x) for x in names):
        raise CheckpointError(
            f"{index}: weight_map does not name files of its own folder (model-….safetensors)"
        )
    return [index.parent / name for name in sorted(set(names))]
