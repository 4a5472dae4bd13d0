"""The language model's attention, which lets answers of any lengths be computed as one batch.

Everything else in a language model treats each position alone. So the next positions of several
answers are one batch, and only here each of them attends to the keys of its own answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "internvl2"
Keys = torch.Tensor | Sequence[torch.Tensor]


class Caches:
    """The caches of several answers, in the place of the one that a model expects when it reads the
    next position of each."""

    def __init__(self, caches: Sequence[Cache]) -> None:
        self._caches = caches

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Add a position to the cache of each answer.

        Args:
            key: (answers, key heads, 1, head size); `value` has the same shape.

        Returns:
            Keys and values of each answer, of (1, key heads, keys, head size).
        """
        rows = zip(self._caches, key.split(1), value.split(1), strict=True)
        parts = [cache.update(*row, layer) for cache, *row in rows]
        return [keys for keys, _ in parts], [values for _, values in parts]

    def get_query_offset(self, layer: int) -> int:
        offset: int = self._caches[0].get_query_offset(layer)
        return offset

    def get_mask_sizes(self, positions: int, layer: int) -> tuple[int, int]:
        sizes: tuple[int, int] = self._caches[0].get_mask_sizes(positions, layer)
        return sizes


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: Keys,
    value: Keys,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' `sdpa`, also for a position of each of several answers.

    Args:
        query: (batch, query heads, positions, head size).
        key: (batch, key heads, keys, head size), or those of each answer, as `Caches` returns them;
            `value` has the same shape.

    Returns:
        (batch, positions, query heads, head size), and no weights.
    """
    if not isinstance(key, torch.Tensor):
        rows = zip(query.split(1), key, value, strict=True)
        return torch.cat([_attend_to_all(*row, scaling) for row in rows]), None
    if query.shape[2] == 1 and attention_mask is None:
        assert isinstance(value, torch.Tensor)
        return _attend_to_all(query, key, value, scaling), None
    seen, _ = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **options
    )
    return seen, None


def _attend_to_all(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """Attend from one position to all, with the query heads that share a key head as its rows.

    torch would bring the keys of every query head into a layout of its own first, which takes most
    of the time of a decoding step on a CPU.
    """
    batch, heads, _, size = query.shape
    rows = query.reshape(batch, key.shape[1], -1, size)
    seen = scaled_dot_product_attention(rows, key, value, scale=scaling)
    return seen.reshape(batch, 1, heads, size)


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
