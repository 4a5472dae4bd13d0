"""Estimates the memory that a checkpoint and its requests take. Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TILES_AT_ONCE = 2
"""Tiles that the vision tower encodes in one step."""
CHUNKS = {"Transformers": 512, "vLLM": 8192}
"""Engine → the most tokens of a prompt that it reads in one step, a chunk."""
MASK = 3
"""Bytes that the attention mask takes on Transformers for each token of a chunk and each key."""
VLLM_SHARE = {"gpu": 0.9, "cpu": 0.7}
"""The share that vLLM takes of a card's whole memory, or of the machine's free memory."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a model has to hold at once.

    Attributes:
        context: tokens of each answer, its prompt included.
        pictures: pictures of the largest kind in each context.
        answers: answers that are generated together.
        tiles_per_picture: by default those of a grid of twelve, and a thumbnail.
    """

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
    """The memory of a checkpoint, in bytes.

    Attributes:
        weights: by quantization.
        feed_forward_per_token, attention_per_token: activations of a token of the chunk of a
            prompt that is being read.
        copies_per_token: what attention copies of keys and values, for every token of the context.
        tower_per_tile: activations of the vision tower.
        kept_per_tile: what is kept of a tile until its prompt is read.
    """

    weights: Mapping[str, int]
    kv_cache_per_token: int
    feed_forward_per_token: int
    attention_per_token: int
    copies_per_token: int
    tower_per_tile: int
    kept_per_tile: int

    def kv_cache(self, use: Use) -> int:
        """Return the bytes of the KV caches of all answers."""
        return self.kv_cache_per_token * use.context * use.answers

    def activations(self, use: Use, engine: str = "Transformers") -> int:
        """Return the bytes of one prompt's tiles and of its largest activations in any layer."""
        chunk = min(use.context, CHUNKS[engine])
        tower = self.tower_per_tile * min(use.tiles, TILES_AT_ONCE)
        attention = self.attention_per_token * chunk
        if engine != "vLLM":  # whose attention reads the KV cache where it lies
            attention += (self.copies_per_token + MASK * chunk) * use.context
        widest = max(tower, self.feed_forward_per_token * chunk, attention)
        return self.kept_per_tile * use.tiles + widest

    def total(
        self, quantization: str, use: Use, engine: str = "Transformers", devices: int = 1
    ) -> int:
        """Return the bytes on each of `devices`, which share weights and KV caches evenly."""
        shared = self.weights[quantization] + self.kv_cache(use)
        return -(-shared // devices) + self.activations(use, engine)
