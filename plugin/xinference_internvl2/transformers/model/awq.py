"""AWQ checkpoints on Transformers: the language model's layers in 4 bits, computed by gptqmodel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import PreTrainedModel

from ...checkpoint.linear_layers import KEPT_MODULES
from .awq_layout import is_packed


def build_config(group: int, on_cpu: bool) -> dict[str, Any]:
    """What transformers needs to put gptqmodel's layers in place of the language model's.

    Only kernels that come compiled with torch: gptqmodel would choose faster ones for a GPU, but
    compile them at their first use. On a CPU its choice is torch's own product of 4-bit weights.
    """
    from transformers import AwqConfig

    config: dict[str, Any] = AwqConfig(
        bits=4,
        group_size=group,
        zero_point=True,
        version="gemm",
        backend="auto" if on_cpu else "torch_awq",
        modules_to_not_convert=list(KEPT_MODULES),
    ).to_dict()
    return config


class _CastSlice:
    """A lazy slice of a safetensors file, whose values are of type `dtype` once they are read."""

    def __init__(self, tensor: Any, dtype: torch.dtype) -> None:
        self._tensor, self._dtype = tensor, dtype

    def __getitem__(self, index: Any) -> torch.Tensor:
        values: torch.Tensor = self._tensor[index]
        return values.to(self._dtype)

    def get_dtype(self) -> str:
        return str(self._tensor.get_dtype())


def cast_floats(tensors: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The lazy `tensors` of a checkpoint, all but those of packed layers in the type `dtype`:
    transformers would leave every one in the type that its file has."""
    return {
        name: tensor if is_packed(name) else _CastSlice(tensor, dtype)
        for name, tensor in tensors.items()
    }


@torch.no_grad()
def prepare(model: PreTrainedModel) -> None:
    """Compute one token, for which kernels repack the weights: no request should wait for it."""
    model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device))
