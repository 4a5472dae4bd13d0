"""The language model's attention, which lets sequences of any lengths be computed at once.

Everything else in a language model treats each position alone. So the next positions of several
sequences are one row, and only here each of them attends to the keys of its own sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from .attention_mask import Chunk

ATTENTION = "internvl2"


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor | Sequence[torch.Tensor],
    value: torch.Tensor | Sequence[torch.Tensor],
    attention_mask: torch.Tensor | Sequence[Chunk] | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' `sdpa`, also for the positions of several sequences in one row.

    Args:
        query: (batch, query heads, positions, head size).
        key: (batch, key heads, keys, head size), or a list with those of each sequence in a row;
            `value` has the same shape.
        attention_mask: as transformers gives it, or what is in the row.

    Returns:
        (batch, positions, query heads, head size), and no weights.
    """
    if isinstance(key, torch.Tensor):
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    chunks = cast(Sequence[Chunk], attention_mask)
    if len(chunks) == 1:
        return _attend_chunk(module, chunks[0], query, key[0], value[0], scaling, options), None
    queries = query.split([chunk.count for chunk in chunks], dim=2)
    rows = zip(chunks, queries, key, value, strict=True)
    seen = [_attend_chunk(module, *row, scaling, options) for row in rows]
    return torch.cat(seen, dim=1), None


def _attend_chunk(
    module: nn.Module,
    chunk: Chunk,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    options: Mapping[str, Any],
) -> torch.Tensor:
    """`attend` for the positions of one sequence."""
    if chunk.count > 1 and chunk.mask is None:
        seen: torch.Tensor = sdpa_attention_forward(
            module, query, key, value, None, scaling=scaling, **options
        )[0]
        return seen
    return _attend_in_groups(query, key, value, chunk.mask, scaling)


def _attend_in_groups(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float | None,
) -> torch.Tensor:
    """Attend with the query heads that share a key head as its rows.

    torch would bring the keys of every query head into a layout of its own first, which takes most
    of the time of a decode step on a CPU; and it computes many rows faster than many heads.
    """
    batch, heads, positions, size = query.shape
    rows = query.reshape(batch, key.shape[1], -1, size)
    seen = scaled_dot_product_attention(rows, key, value, attn_mask=mask, scale=scaling)
    return seen.reshape(batch, heads, positions, size).transpose(1, 2)


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
