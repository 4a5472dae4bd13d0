"""RoPE, the rotary position embedding: cosines and sines of positions, and heads turned by them."""

from __future__ import annotations

from typing import Any

import torch


def embed_positions(
    rotary: Any, embeds: torch.Tensor, positions: torch.Tensor, tokens: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The cosines and sines, each (batch, positions, head size), of `positions` (batch, positions)
    in sequences of `tokens`, of which perhaps only a chunk is read now.

    Args:
        rotary: transformers' module for it.
        embeds: tells type and device.
    """
    if rotary.rope_type == "dynamic":
        # transformers would encode for the length of the sequence before, if that was longer.
        rotary.max_seq_len_cached = rotary.original_max_seq_len
        rotary.inv_freq = rotary.original_inv_freq.to(rotary.inv_freq.device)
    # transformers tells the length by the largest position: that of the last token goes along.
    last = positions.new_full((len(positions), 1), tokens - 1)
    cos, sin = rotary(embeds, position_ids=torch.cat([positions, last], dim=1))
    return cos[:, :-1], sin[:, :-1]


def rotate(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Encode positions into heads of (batch, positions, heads, head size), by cosines and sines of
    (batch, positions, head size)."""
    half = heads.shape[-1] // 2
    cos, sin = cos[:, :, None], sin[:, :, None]
    turned = heads * cos
    turned[..., :half].addcmul_(heads[..., half:], sin[..., :half], value=-1)
    turned[..., half:].addcmul_(heads[..., :half], sin[..., half:])
    return turned
