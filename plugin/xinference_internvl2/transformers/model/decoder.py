"""The language model's forward pass over the next positions of sequences, each with a KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel


def windows(config: Any) -> list[int | None]:
    """How many positions each layer of the language model attends to, or None for all."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


def forward(
    model: PreTrainedModel,
    embeds: torch.Tensor,
    starts: Sequence[int],
    tokens: int,
    caches: Any,
) -> torch.Tensor:
    """Read positions that follow what is in the caches, and return the logits after the last one.

    Args:
        embeds: (sequences, positions, hidden size): one position each, or several of one sequence.
        starts: the first of the positions, for each sequence.
        tokens: the length for which positions are encoded.
        caches: with `update(key, value, layer)`, as attention expects it.

    Returns:
        (sequences, vocabulary), in float32.
    """
    language, count = model.model.language_model, embeds.shape[1]
    first = torch.tensor([[start] for start in starts], device=embeds.device)
    positions = first + torch.arange(count, device=embeds.device)
    encoded = _position_embeddings(language.rotary_emb, embeds, positions, tokens)
    reach = windows(language.config)
    masks = {
        window: None if count == 1 else _mask(starts[0], positions[0], window)
        for window in {*reach}
    }
    hidden = embeds
    for layer, window in zip(language.layers, reach, strict=True):
        hidden = layer(
            hidden,
            attention_mask=masks[window],
            position_ids=positions,
            position_embeddings=encoded,
            past_key_values=caches,
            use_cache=True,
        )
    logits: torch.Tensor = model.lm_head(language.norm(hidden[:, -1:]))
    return logits[:, -1].float()


def _position_embeddings(
    rotary: Any, embeds: torch.Tensor, positions: torch.Tensor, tokens: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The cosines and sines, each (batch, positions, head size), of `positions` (batch, positions)
    in sequences of `tokens`, of which perhaps only a piece is read now."""
    if rotary.rope_type == "dynamic":
        # transformers would encode for the length of the sequence before, if that was longer.
        rotary.max_seq_len_cached = rotary.original_max_seq_len
        rotary.inv_freq = rotary.original_inv_freq.to(rotary.inv_freq.device)
    # transformers tells the length by the largest position: that of the last token goes along.
    last = positions.new_full((len(positions), 1), tokens - 1)
    cos, sin = rotary(embeds, position_ids=torch.cat([positions, last], dim=1))
    return cos[:, :-1], sin[:, :-1]


def _mask(start: int, positions: torch.Tensor, window: int | None) -> torch.Tensor | None:
    """(1, 1, positions, keys), True where a position attends to a key, of the keys that lie in the
    window of any of them; None where causal attention needs no mask."""
    stop = start + len(positions)
    first = 0 if window is None else max(0, start + 1 - window)
    if start == 0 and (window is None or stop <= window):
        return None
    key, query = torch.arange(first, stop, device=positions.device), positions[:, None]
    seen = key <= query
    if window is not None:
        seen &= key > query - window
    return seen[None, None]
