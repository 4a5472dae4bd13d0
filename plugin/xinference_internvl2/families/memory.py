"""How much memory a checkpoint and its requests take. Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TILES_AT_ONCE = 1
"""Tiles that the vision tower looks at in a step."""
PIECES = {"Transformers": 512, "vLLM": 8192}
"""Tokens of a prompt that an engine reads in a step, at most."""


@dataclass(frozen=True, slots=True)
class Use:
    """What is to be held at once: `answers`, each with a context of `context` tokens, in which
    there are `pictures` of the largest kind: by default twelve tiles and a thumbnail. A prompt is
    read in pieces of `piece` tokens."""

    context: int = 8192
    pictures: int = 1
    answers: int = 1
    tiles_per_picture: int = 13
    tokens_per_tile: int = 256
    piece: int = PIECES["Transformers"]

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

    A prompt is read in pieces. What one passes through, at the widest place of the tower or of the
    language model, is `tower_per_tile` or `prompt_per_token`, whichever is more in all.
    """

    weights: Mapping[str, int]
    kv_cache_per_token: int
    prompt_per_token: int
    tower_per_tile: int
    pixels_per_tile: int

    def kv_cache(self, use: Use) -> int:
        """The keys and values of all answers."""
        return self.kv_cache_per_token * use.context * use.answers

    def activations(self, use: Use) -> int:
        """What one prompt passes through, with its pixels."""
        tower = self.tower_per_tile * min(use.tiles, TILES_AT_ONCE)
        prompt = self.prompt_per_token * min(use.context, use.piece)
        return self.pixels_per_tile * use.tiles + max(tower, prompt)

    def total(self, quantization: str, use: Use, devices: int = 1) -> int:
        """What each of `devices` holds, which share weights and keys evenly."""
        shared = self.weights[quantization] + self.kv_cache(use)
        return -(-shared // devices) + self.activations(use)
