"""Splits InternLM2's fused `wqkv` into the weights of q, k and v.

Shapes use: K key-value heads, Q query heads per key-value head, D head size, I input features.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.core_model_loading import Concatenate, ConversionOps

from .awq_layout import output_axis


def split_qkv(rows: torch.Tensor, text_config: Any) -> tuple[torch.Tensor, ...]:
    """Rows of (K, Q + 2, D) → those of q (K·Q·D), k and v (K·D each)."""
    groups = text_config.num_key_value_heads
    queries = text_config.num_attention_heads // groups
    heads = rows.unflatten(0, (groups, queries + 2, -1))
    return (
        heads[:, :queries].flatten(0, 2),
        heads[:, queries].flatten(0, 1),
        heads[:, queries + 1].flatten(0, 1),
    )


class SplitGroupedQKV(ConversionOps):
    """InternLM2's `wqkv`, rows (K, Q + 2, D), into q (K·Q·D, I), k and v (K·D, I each); or
    columns, where AWQ packs it."""

    @torch.no_grad()
    def convert(
        self,
        input_dict: dict[str, Any],
        source_patterns: list[str],
        target_patterns: list[str],
        *,
        config: Any,
        full_layer_name: str,
        **kwargs: Any,
    ) -> dict[str, torch.Tensor]:
        (value,) = input_dict.values()
        tensor = value[0] if isinstance(value, list) else value
        axis = output_axis(full_layer_name)
        parts = split_qkv(tensor.movedim(axis, 0), config.text_config)
        moved = (part.movedim(0, axis).contiguous() for part in parts)
        return dict(zip(target_patterns, moved, strict=True))

    @property
    def reverse_op(self) -> ConversionOps:
        # Saving keeps transformers' own names (save_original_format=False); this only has to exist.
        return Concatenate(dim=0)
