"""AWQ checkpoints on Transformers: the language model's layers in 4 bits, computed by gptqmodel.

Shapes use: O output features, I input features, G groups of input features that share a scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import PreTrainedModel

from ...errors import CheckpointError
from .fused_weights import INTEGERS

_LAYERS = "model.language_model.layers."
_VALUES = 8


def pack_shapes(
    wanted: Mapping[str, tuple[int, ...]], group: int, head_size: int
) -> dict[str, tuple[int, ...]]:
    """The parameters `wanted` (name → shape) as an AWQ checkpoint has them: in place of a linear
    layer's weight (O, I) `qweight` (I, O/8), `qzeros` (G, O/8) and `scales` (G, O).

    Raises:
        CheckpointError: a layer, or an attention head, does not fit the layout.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in wanted.items():
        if not (name.startswith(_LAYERS) and name.endswith(".weight") and len(shape) == 2):
            shapes[name] = shape
            continue
        outputs, inputs = shape
        if outputs % _VALUES or head_size % _VALUES or inputs % group:
            raise CheckpointError(
                f"config.json asks for {name} {list(shape)} with heads of {head_size}, which AWQ "
                f"in groups of {group} does not fit; check that config.json is the checkpoint's own"
            )
        owner, groups = name.removesuffix("weight"), inputs // group
        shapes[f"{owner}qweight"] = (inputs, outputs // _VALUES)
        shapes[f"{owner}qzeros"] = (groups, outputs // _VALUES)
        shapes[f"{owner}scales"] = (groups, outputs)
    return shapes


def build_config(group: int, kept: tuple[str, ...], on_cpu: bool) -> dict[str, Any]:
    """What transformers needs to put gptqmodel's layers in place of all but the modules `kept`.

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
        modules_to_not_convert=list(kept),
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
        name: tensor if name.endswith((*INTEGERS, "scales")) else _CastSlice(tensor, dtype)
        for name, tensor in tensors.items()
    }


@torch.no_grad()
def prepare(model: PreTrainedModel) -> None:
    """Compute one token, for which kernels repack the weights: no request should wait for it."""
    model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device))
