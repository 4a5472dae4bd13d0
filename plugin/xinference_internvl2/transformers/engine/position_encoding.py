"""At which lengths a text's positions are encoded alike, so that batches and cached keys hold.

RoPE of the kinds `dynamic` and `longrope` depends on the length of the whole text.
"""

from __future__ import annotations

import math
from typing import Literal

from ...checkpoint.rope import Rope


def fixed_length(rope: Rope, max_positions: int) -> float:
    """Return the number of tokens up to which the encoding does not depend on a text's length."""
    if rope["rope_type"] == "longrope":
        return int(rope["original_max_position_embeddings"])
    return max_positions if rope["rope_type"] == "dynamic" else math.inf


def encoding(rope: Rope, max_positions: int, tokens: int) -> Literal["short", "long"] | None:
    """Return how a text of `tokens` is encoded; texts of the same encoding can share a batch.

    None is an encoding that no other text shares: `dynamic` has one for every length.
    """
    if tokens <= fixed_length(rope, max_positions):
        return "short"
    return "long" if rope["rope_type"] == "longrope" else None


def switches(rope: Rope, max_positions: int, tokens: int) -> bool:
    """Whether a text that grows to `tokens` leaves the short encoding for the long one.

    The keys of all its tokens, which are in the KV cache, are then wrong and have to be computed
    again. This happens once, with `longrope` alone.
    """
    longrope = rope["rope_type"] == "longrope"
    return longrope and tokens == fixed_length(rope, max_positions) + 1
