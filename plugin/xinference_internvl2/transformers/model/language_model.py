"""The language model's forward pass over the next positions of sequences, each with a KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from .attention_mask import Chunk, build_row, list_windows
from .rotary import embed_positions


def forward(
    model: PreTrainedModel,
    embeds: torch.Tensor,
    chunks: Sequence[range],
    tokens: int,
    caches: Any,
    wanted: Sequence[int],
) -> torch.Tensor:
    """Read positions that follow what is in the caches, of one or several sequences.

    Args:
        embeds: (1, positions, hidden size): those of a sequence after those of another.
        chunks: the positions of each sequence.
        tokens: the length for which positions are encoded.
        caches: with `update(key, value, layer)`, as attention expects it.
        wanted: the rows of `embeds` after which logits are returned.

    Returns:
        (wanted, vocabulary), in float32.
    """
    language = model.model.language_model
    numbers = [[position for chunk in chunks for position in chunk]]
    positions = torch.tensor(numbers, device=embeds.device)
    encoded = embed_positions(language.rotary_emb, embeds, positions, tokens)
    rows = _build_rows(language.config, chunks, embeds)
    hidden = embeds
    for layer, row in zip(language.layers, rows, strict=True):
        hidden = layer(
            hidden,
            attention_mask=row,
            position_ids=positions,
            position_embeddings=encoded,
            past_key_values=caches,
            use_cache=True,
        )
    if not wanted:
        return hidden.new_empty(0, language.config.vocab_size)
    logits: torch.Tensor = model.lm_head(language.norm(hidden[:, [*wanted]]))
    return logits[0].float()


def _build_rows(config: Any, chunks: Sequence[range], embeds: torch.Tensor) -> list[list[Chunk]]:
    """What is in the row of positions, for each layer."""
    heads, reach = config.num_attention_heads // config.num_key_value_heads, list_windows(config)
    row = {window: build_row(chunks, window, heads, embeds) for window in {*reach}}
    return [row[window] for window in reach]
