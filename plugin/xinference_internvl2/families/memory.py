"""How much memory a checkpoint and its requests take. Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TILES_AT_ONCE = 2
"""Tiles that the vision tower looks at in a step."""
PIECES = {"Transformers": 512, "vLLM": 8192}
"""Tokens of a prompt that an engine reads in a step, at most."""
MASK = 3
"""Bytes that say on Transformers whether a token of a piece attends to a key."""


@dataclass(frozen=True, slots=True)
class Use:
    """What is to be held at once: `answers`, each with a context of `context` tokens, in which
    there are `pictures` of the largest kind: by default twelve tiles and a thumbnail."""

    context: int = 8192
    pictures: int = 1
    answers: int = 1
    tiles_per_picture: int = 13
    tokens_per_tile: int = 256

    @property
    def tiles(self) -> int:
        """The tiles of all pictures."""
        return self.pictures * self.tiles_per_picture

    @property
    def picture_tokens(self) -> int:
        """The tokens that the pictures take of the context."""
        return self.tiles * self.tokens_per_tile


@dataclass(frozen=True, slots=True)
class Memory:
    """What a checkpoint takes: its `weights` by quantization, and the shares of tokens and tiles.

    A prompt is read in pieces. `feed_forward_per_token` and `attention_per_token` are of a piece,
    `copies_per_token` is what attention copies of the whole context, and `kept_per_tile` stays
    until the prompt is read.
    """

    weights: Mapping[str, int]
    kv_cache_per_token: int
    feed_forward_per_token: int
    attention_per_token: int
    copies_per_token: int
    tower_per_tile: int
    kept_per_tile: int

    def kv_cache(self, use: Use) -> int:
        """The keys and values of all answers."""
        return self.kv_cache_per_token * use.context * use.answers

    def activations(self, use: Use, engine: str = "Transformers") -> int:
        """What is kept of the tiles of one prompt, and the widest place that it passes."""
        piece = min(use.context, PIECES[engine])
        tower = self.tower_per_tile * min(use.tiles, TILES_AT_ONCE)
        attention = self.attention_per_token * piece
        if engine != "vLLM":  # whose attention reads the KV cache where it lies
            attention += (self.copies_per_token + MASK * piece) * use.context
        widest = max(tower, self.feed_forward_per_token * piece, attention)
        return self.kept_per_tile * use.tiles + widest

    def total(
        self, quantization: str, use: Use, engine: str = "Transformers", devices: int = 1
    ) -> int:
        """What each of `devices` holds, which share weights and keys evenly."""
        shared = self.weights[quantization] + self.kv_cache(use)
        return -(-shared // devices) + self.activations(use, engine)
