"""Attention of the vision tower on a CPU that computes in bfloat16."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel

VISION_ATTENTION = "internvl2_cpu_vision"
_HEADS_AT_ONCE = 2  # so that their scores stay in the cache


def use_vision_attention(model: PreTrainedModel) -> None:
    """Let the vision tower of a bfloat16 model attend with `attend_tiles`, on a CPU that has
    instructions for the type."""
    computes = model.device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if computes and model.dtype == torch.bfloat16:
        model.model.vision_tower.set_attn_implementation(VISION_ATTENTION)


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
