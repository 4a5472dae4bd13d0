"""To which keys each position attends: those before it, and of them those in a sliding window."""

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
        mask: (1, 1, positions, keys), True where a position attends to a key. Without one, a single
            position attends to all keys, several to those before them.
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


def build_row(chunks: Sequence[range], window: int | None, device: torch.device) -> list[Chunk]:
    """What is in the row of positions, for a layer that attends to a window."""
    return [Chunk(len(chunk), _build_mask(chunk, window, device)) for chunk in chunks]


def _build_mask(chunk: range, window: int | None, device: torch.device) -> torch.Tensor | None:
    """(1, 1, positions, keys), True where a position attends to a key, of the keys that lie in the
    window of any of them; None where attention needs no mask: causal, or of one position."""
    start, stop = chunk.start, chunk.stop
    if len(chunk) == 1 or (start == 0 and (window is None or stop <= window)):
        return None
    first = 0 if window is None else max(0, start + 1 - window)
    key = torch.arange(first, stop, device=device)
    query = torch.arange(start, stop, device=device)[:, None]
    seen = key <= query
    if window is not None:
        seen &= key > query - window
    return seen[None, None]
