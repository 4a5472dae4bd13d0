"""The KV cache returns what was written, and counts its bytes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.kv_cache import KVCache, KVCachePool
from xinference_internvl2.transformers.engine.sequence import Prompt, Request

HEADS, SIZE = 2, 8


def pool(window: int | None = None, layers: int = 2) -> KVCachePool:
    config: Any = SimpleNamespace(
        num_hidden_layers=layers,
        num_key_value_heads=HEADS,
        num_attention_heads=4,
        hidden_size=4 * SIZE,
        sliding_window=window,
    )
    return KVCachePool(config, torch.float32)


def write(cache: KVCache, *positions: int) -> list[float]:
    """Write positions whose numbers are their keys, and return those that they attend to."""
    numbers = torch.tensor(positions, dtype=torch.float32)[None, None, :, None]
    rows = numbers.expand(1, HEADS, -1, SIZE)
    for layer in range(2):
        keys, values = cache.update(rows, -rows, layer)
    assert torch.equal(keys, -values)
    cache.length += len(positions)
    return [float(key) for key in keys[0, 1, :, 3]]


def test_what_is_written_is_returned() -> None:
    cache = pool().allocate(8)
    assert write(cache, 0, 1, 2) == [0, 1, 2]
    assert write(cache, 3) == [0, 1, 2, 3]


@pytest.mark.parametrize("window", [3, 4])
def test_a_window_leaves_out_what_no_position_attends_to(window: int) -> None:
    cache = pool(window).allocate(9)
    assert write(cache, *range(4)) == [0, 1, 2, 3]
    assert write(cache, 4) == [*range(5 - window, 5)]
    assert write(cache, 5, 6) == [*range(6 - window, 7)]


@pytest.mark.parametrize(("tokens", "capacity"), [(7, 8), (8, 8), (9, 12), (13, 13)])
def test_a_cache_grows_by_half_at_least(tokens: int, capacity: int) -> None:
    made = pool()
    cache = made.allocate(8)
    write(cache, *range(8))
    cache.grow(tokens)
    assert cache.capacity == capacity
    assert made.bytes_held == cache.bytes == capacity * made.bytes_per_token
    if tokens > 8:
        assert write(cache, 8) == [*range(9)]


@pytest.mark.parametrize(("most", "room"), [(0, 0), (255, 255), (256, 256), (257, 256)])
def test_a_cache_has_room_for_a_short_answer_at_first(most: int, room: int) -> None:
    sampling = SamplingParams(most)
    (sequence,) = Request(Prompt([5, 6, 7]), sampling, (), 0, torch.device("cpu")).sequences
    assert sequence.capacity == 3 + room


def test_a_step_copies_nothing() -> None:
    cache = pool().allocate(8)
    write(cache, 0, 1)
    first = cache.update(torch.ones(1, HEADS, 1, SIZE), torch.ones(1, HEADS, 1, SIZE), 0)[0]
    cache.length += 1
    second = cache.update(torch.ones(1, HEADS, 1, SIZE), torch.ones(1, HEADS, 1, SIZE), 0)[0]
    assert first.data_ptr() == second.data_ptr()


def test_a_copy_is_a_cache_of_its_own() -> None:
    made = pool()
    cache = made.allocate(8)
    write(cache, 0, 1, 2)
    copy = cache.copy(2, 4)
    assert write(copy, 7) == [0, 1, 7]
    assert write(cache, 3) == [0, 1, 2, 3]
    assert made.bytes_held == 12 * made.bytes_per_token
    copy.free()
    copy.free()
    assert made.bytes_held == 8 * made.bytes_per_token
    cache.free()
    assert made.bytes_held == 0


def test_the_bytes_are_those_of_the_tensors() -> None:
    made = pool()
    cache = made.allocate(8)
    write(cache, 0)
    tensors = [layer for layer in cache._keys + cache._values if layer is not None]
    assert sum(tensor.nbytes for tensor in tensors) == cache.bytes
