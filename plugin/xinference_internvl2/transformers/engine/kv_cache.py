"""The KV cache: the keys and values of the tokens that have been read, of every sequence.

A `KVCache` has room to grow, so that a decode step writes one position and copies nothing. All of
them are made by one `KVCachePool`, which knows how many bytes they hold together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..model.attention_mask import list_windows

INITIAL_ROOM = 256
"""Tokens for which a cache has room at first, beyond those that are there already."""


class KVCachePool:
    """Makes the caches of a language model, and counts their bytes."""

    def __init__(self, config: Any, dtype: torch.dtype) -> None:
        heads = config.num_key_value_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.windows = list_windows(config)
        self.bytes_per_token: int = 2 * len(self.windows) * heads * size * dtype.itemsize
        self.bytes_held = 0

    def allocate(self, capacity: int) -> KVCache:
        """An empty cache with room for `capacity` tokens."""
        self.bytes_held += capacity * self.bytes_per_token
        return KVCache(self, capacity)


class KVCache:
    """Keys and values of a sequence's first `length` tokens, with room for `capacity`."""

    def __init__(self, pool: KVCachePool, capacity: int) -> None:
        self._pool, self.capacity, self.length = pool, capacity, 0
        # By layer, each (1, key heads, capacity, head size) on the device of its layer.
        self._keys: list[torch.Tensor | None] = [None] * len(pool.windows)
        self._values: list[torch.Tensor | None] = [None] * len(pool.windows)

    @property
    def bytes(self) -> int:
        return self.capacity * self._pool.bytes_per_token

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write what follows the first `length` tokens, and return all that it attends to.

        Args:
            key: (1, key heads, positions, head size); `value` has the same shape.

        Returns:
            Keys and values, of (1, key heads, keys, head size).
        """
        end, window = self.length + key.shape[2], self._pool.windows[layer]
        start = 0 if window is None else max(0, self.length + 1 - window)
        keys = self._write(self._keys, layer, key)
        values = self._write(self._values, layer, value)
        return keys[:, :, start:end], values[:, :, start:end]

    def _write(
        self, layers: list[torch.Tensor | None], layer: int, new: torch.Tensor
    ) -> torch.Tensor:
        if (room := layers[layer]) is None:
            room = layers[layer] = new.new_empty(1, new.shape[1], self.capacity, new.shape[3])
        room[:, :, self.length : self.length + new.shape[2]] = new
        return room

    def grow(self, tokens: int) -> None:
        """Make room for `tokens`, and for half as many again, if there is none."""
        if tokens <= self.capacity:
            return
        capacity = max(tokens, self.capacity + self.capacity // 2)
        for layers in (self._keys, self._values):
            layers[:] = [self._copy_layer(layer, self.length, capacity) for layer in layers]
        self._pool.bytes_held += (capacity - self.capacity) * self._pool.bytes_per_token
        self.capacity = capacity

    def copy(self, length: int, capacity: int) -> KVCache:
        """A cache of its own with the first `length` tokens, and room for `capacity`."""
        other = self._pool.allocate(capacity)
        other._keys = [self._copy_layer(layer, length, capacity) for layer in self._keys]
        other._values = [self._copy_layer(layer, length, capacity) for layer in self._values]
        other.length = length
        return other

    @staticmethod
    def _copy_layer(layer: torch.Tensor | None, length: int, capacity: int) -> torch.Tensor | None:
        if layer is None:
            return None
        copy = layer.new_empty(*layer.shape[:2], capacity, layer.shape[3])
        copy[:, :, :length] = layer[:, :, :length]
        return copy

    def free(self) -> None:
        """Free the memory; the cache cannot be used any more."""
        self._pool.bytes_held -= self.bytes
        self.capacity = self.length = 0
        self._keys, self._values = [], []


class KVCacheBatch:
    """The caches of the sequences of a step, in the place of the one that a model expects.

    Args:
        counts: how many positions each sequence reads.
    """

    def __init__(self, caches: Sequence[KVCache], counts: Sequence[int]) -> None:
        self.caches, self._counts = caches, [*counts]

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Write the next positions of each sequence.

        Args:
            key: (1, key heads, positions, head size): those of a sequence after those of another;
                `value` has the same shape.

        Returns:
            Keys and values of each sequence, of (1, key heads, keys, head size).
        """
        if len(self.caches) == 1:  # without the small operations that splitting one would take
            keys, values = self.caches[0].update(key, value, layer)
            return [keys], [values]
        new = (each.split(self._counts, dim=2) for each in (key, value))
        rows = zip(self.caches, *new, strict=True)
        parts = [cache.update(one, other, layer) for cache, one, other in rows]
        return [keys for keys, _ in parts], [values for _, values in parts]
