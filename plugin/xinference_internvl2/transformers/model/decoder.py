"""The language model's forward pass over the next positions of sequences, each with a KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from .attention import Piece


def windows(config: Any) -> list[int | None]:
    """How many positions each layer of the language model attends to, or None for all."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


def forward(
    model: PreTrainedModel,
    embeds: torch.Tensor,
    pieces: Sequence[range],
    tokens: int,
    caches: Any,
    wanted: Sequence[int],
) -> torch.Tensor:
    """Read positions that follow what is in the caches, of one or several sequences.

    Args:
        embeds: (1, positions, hidden size): those of a sequence after those of another.
        pieces: the positions of each sequence.
        tokens: the length for which positions are encoded.
        caches: with `update(key, value, layer)`, as attention expects it.
        wanted: the rows of `embeds` after which logits are returned.

    Returns:
        (wanted, vocabulary), in float32.
    """
    language = model.model.language_model
    numbers = [[position for piece in pieces for position in piece]]
    positions = torch.tensor(numbers, device=embeds.device)
    encoded = _position_embeddings(language.rotary_emb, embeds, positions, tokens)
    reach = windows(language.config)
    row = {window: _row(pieces, window, embeds.device) for window in {*reach}}
    hidden = embeds
    for layer, window in zip(language.layers, reach, strict=True):
        hidden = layer(
            hidden,
            attention_mask=row[window],
            position_ids=positions,
            position_embeddings=encoded,
            past_key_values=caches,
            use_cache=True,
        )
    if not wanted:
        return hidden.new_empty(0, language.config.vocab_size)
    logits: torch.Tensor = model.lm_head(language.norm(hidden[:, [*wanted]]))
    return logits[0].float()


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


def _row(pieces: Sequence[range], window: int | None, device: torch.device) -> list[Piece]:
    """What is in the row of positions, for a layer that attends to a window."""
    return [Piece(len(piece), _mask(piece, window, device)) for piece in pieces]


def _mask(piece: range, window: int | None, device: torch.device) -> torch.Tensor | None:
    """(1, 1, positions, keys), True where a position attends to a key, of the keys that lie in the
    window of any of them; None where attention needs no mask: causal, or of one position."""
    start, stop = piece.start, piece.stop
    if len(piece) == 1 or (start == 0 and (window is None or stop <= window)):
        return None
    first = 0 if window is None else max(0, start + 1 - window)
    key = torch.arange(first, stop, device=device)
    query = torch.arange(start, stop, device=device)[:, None]
    seen = key <= query
    if window is not None:
        seen &= key > query - window
    return seen[None, None]
