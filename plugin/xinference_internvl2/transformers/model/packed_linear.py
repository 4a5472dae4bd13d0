"""Packs linear layers on a CPU: oneDNN computes them in a layout of its own.

Where a bfloat16 weight is not in it, each call brings it there first; for the one row of a decode
step, that takes as long as the product itself. With float32, torch asks another library, which
takes three times as long for a few rows.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.activations import GELUActivation

from .huge_pages import use_huge_pages

_LEAST_ROWS = 4  # of a product: oneDNN reads the weights slower for one or two than for four


def pack_layers(model: PreTrainedModel) -> None:
    """Let a model on a CPU compute with packed linear layers, but for a type of weights in which
    this CPU gains nothing from it."""
    if model.device.type != "cpu" or model.dtype not in _list_types():
        return
    for block in model.model.vision_tower.encoder.layer:
        mlp = block.mlp
        if type(mlp.activation_fn) is GELUActivation and _is_packable(mlp.fc1):
            mlp.fc1, mlp.activation_fn = PackedLinear(mlp.fc1, "gelu"), nn.Identity()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if _is_packable(layer):
                setattr(parent, name, PackedLinear(layer))
    for layer in (*model.model.language_model.modules(), model.lm_head):
        if isinstance(layer, PackedLinear):
            layer.use_huge_pages()


def _is_packable(layer: nn.Module) -> bool:
    return type(layer) is nn.Linear and layer.weight.dtype in _list_types()


def _list_types() -> set[torch.dtype]:
    """Return the types of weights whose products are faster packed on this CPU."""
    types = {torch.float32} if "AVX" in torch.backends.cpu.get_cpu_capability() else set()
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        types.add(torch.bfloat16)
    return types


class PackedLinear(nn.Module):
    """A linear layer whose weight is kept in oneDNN's layout alone, so that it needs no more memory
    than before. In bfloat16 the result is the same, but for an activation.

    Args:
        activation: "none", or "gelu", computed before the result is rounded to its type.
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self._bias = None if linear.bias is None else linear.bias.detach()
        self._activation = activation

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(…, in features) → (…, out features)"""
        count = rows.shape[-2]
        if count < _LEAST_ROWS:
            rows = torch.cat([rows] * _LEAST_ROWS, dim=-2)[..., :_LEAST_ROWS, :]
        packed: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self._weight, self._bias, self._activation, [], "none"
        )
        return packed[..., :count, :]

    def use_huge_pages(self) -> None:
        """Have the weight in memory that a decode step reads faster, where there is such."""
        weight = self._weight
        use_huge_pages(torch.ops.mkldnn.data_ptr(weight), torch.ops.mkldnn._nbytes(weight))
