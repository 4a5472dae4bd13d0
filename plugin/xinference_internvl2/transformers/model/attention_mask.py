"""To which keys each position attends: those before it, and of them those in a sliding window.

`KVCache.update` leaves the keys before the window out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next positions of a sequence.

    Attributes:
        count: how many there are.
        mask: (1, 1, query heads a key head * positions, keys), what is added to scores: minus
            infinity where a position does not attend to a key. Without one, a single position
            attends to all keys, several to those before them.
    """

    count: int
    mask: torch.Tensor | None

    def to(self, device: torch.device | str | int) -> Chunk:
        """The same on another device; accelerate asks for it where layers are on several."""
        return Chunk(self.count, self.mask if self.mask is None else self.mask.to(device))


def list_windows(config: Any) -> list[int | None]:
    """How many positions each layer of the language model attends to, or None for all."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


def build_row(
    chunks: Sequence[range], window: int | None, heads: int, embeds: torch.Tensor
) -> list[Chunk]:
    """What is in a row of positions, for layers that attend to a window.

    Args:
        heads: query heads that share a key head.
        embeds: of the positions; masks are of their type, and where they are.
    """
    return [Chunk(len(chunk), _build_mask(chunk, window, heads, embeds)) for chunk in chunks]


def _build_mask(
    chunk: range, window: int | None, heads: int, embeds: torch.Tensor
) -> torch.Tensor | None:
    """The mask of a chunk, with the keys that lie in the window of any of its positions; None where
    attention needs no mask: causal, or of one position."""
    start, stop = chunk.start, chunk.stop
    if len(chunk) == 1 or (start == 0 and (window is None or stop <= window)):
        return None
    first = 0 if window is None else max(0, start + 1 - window)
    key = torch.arange(first, stop, device=embeds.device)
    query = torch.arange(start, stop, device=embeds.device)[:, None]
    unseen = key > query
    if window is not None:
        unseen |= key <= query - window
    mask = embeds.new_zeros(unseen.shape).masked_fill_(unseen, -torch.inf)
    return mask.repeat(heads, 1)[None, None]
