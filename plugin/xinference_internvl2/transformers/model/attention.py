"""The language model's attention, which lets sequences of any lengths be computed as one batch.

Everything else in a language model treats each position alone. So the next positions of several
sequences are one batch, and only here each of them attends to the keys of its own sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "internvl2"
Keys = torch.Tensor | Sequence[torch.Tensor]


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: Keys,
    value: Keys,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' `sdpa`, also for one position of each of several sequences.

    Args:
        query: (batch, query heads, positions, head size).
        key: (batch, key heads, keys, head size), or a list with those of each sequence, whose
            lengths differ; `value` has the same shape.
        attention_mask: (1, 1, positions, keys), True where a position attends to a key. Without
            one, all positions attend to the keys before them, a single position to all keys.

    Returns:
        (batch, positions, query heads, head size), and no weights.
    """
    if not isinstance(key, torch.Tensor):
        if query.shape[2] == 1:
            rows = zip(query.split(1), key, value, strict=True)
            return torch.cat([_attend_to_all(*row, scaling) for row in rows]), None
        (key,), (value,) = key, value
    seen, _ = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **options
    )
    return seen, None


def _attend_to_all(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """Attend from one position to all, with the query heads that share a key head as its rows.

    torch would bring the keys of every query head into a layout of its own first, which takes most
    of the time of a decode step on a CPU.
    """
    batch, heads, _, size = query.shape
    rows = query.reshape(batch, key.shape[1], -1, size)
    seen = scaled_dot_product_attention(rows, key, value, scale=scaling)
    return seen.reshape(batch, 1, heads, size)


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
