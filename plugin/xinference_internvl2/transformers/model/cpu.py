"""A transformers model as a CPU computes it fastest.

oneDNN computes linear layers in a layout of its own. Where a bfloat16 weight is not in it, each
call brings it there first; for the one row of a decode step, that takes as long as the product
itself. With float32, torch asks another library, which takes three times as long for a few rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.activations import GELUActivation

from .huge_pages import use_huge_pages

VISION_ATTENTION = "internvl2_cpu_vision"
_LEAST_ROWS = 4  # of a product: oneDNN reads the weights slower for one or two than for four
_HEADS_AT_ONCE = 2  # so that their scores stay in the cache


def pack(model: PreTrainedModel) -> None:
    """Let a model on a CPU compute with packed linear layers, and its vision tower, in bfloat16,
    attend with `attend_tiles`; nothing in a type in which this CPU gains nothing from it."""
    if model.device.type != "cpu" or model.dtype not in _list_types():
        return
    if model.dtype == torch.bfloat16:
        model.model.vision_tower.set_attn_implementation(VISION_ATTENTION)
    _pack_layers(model)


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


def _pack_layers(model: PreTrainedModel) -> None:
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


def attend_tiles(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    scaling: float,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """All positions of a tile attend to all, with scores in the type of `query`, as in the code
    published with InternVL2: as products of matrices, for which a CPU with bfloat16 has
    instructions that torch's attention does not use.

    Args:
        query: (tiles, heads, positions, head size); `key` and `value` have the same shape.

    Returns:
        (tiles, positions, heads, head size), and no weights.
    """
    tiles, heads, positions, size = query.shape
    seen = query.new_empty(tiles, positions, heads, size)
    for tile in range(tiles):
        rows = (query[tile] * scaling).contiguous()
        keys, values = key[tile].contiguous(), value[tile].contiguous()
        for start in range(0, heads, _HEADS_AT_ONCE):
            part = slice(start, start + _HEADS_AT_ONCE)
            scores = torch.bmm(rows[part], keys[part].transpose(1, 2))
            seen[tile, :, part] = torch.bmm(scores.softmax(-1), values[part]).transpose(0, 1)
    return seen, None


AttentionInterface.register(VISION_ATTENTION, attend_tiles)
