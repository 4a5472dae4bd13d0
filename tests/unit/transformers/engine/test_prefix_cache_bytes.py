"""The prefix cache remembers as many conversations as its bytes allow."""

from __future__ import annotations

import math

import pytest
import torch

from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.kv_cache import KVCache, KVCachePool
from xinference_internvl2.transformers.engine.prefix_cache import PrefixCache
from xinference_internvl2.transformers.engine.sequence import Prompt, Request

from .test_kv_cache import pool


def cache_of(made: KVCachePool, tokens: int) -> KVCache:
    cache = made.allocate(tokens)
    rows = torch.zeros(1, 2, tokens, 8)
    for layer in range(2):
        cache.update(rows, rows, layer)
    cache.length = tokens
    return cache


def prefixes(made: KVCachePool, tokens: int, limit: float = math.inf) -> PrefixCache:
    return PrefixCache(tokens * made.bytes_per_token, limit)


def known(cache: PrefixCache, keys: str) -> int:
    found = cache.find(keys)
    return found[1] if found else 0


@pytest.mark.parametrize(("tokens", "kept"), [(8, True), (7, False)])
def test_two_users_in_turn_do_not_evict_each_other(tokens: int, kept: bool) -> None:
    made = pool()
    cache = prefixes(made, tokens)
    cache.store("abcd", cache_of(made, 4))
    cache.store("efgh", cache_of(made, 4))
    assert (known(cache, "abcdx"), known(cache, "efghx")) == (4 if kept else 0, 4)
    assert made.bytes_held == cache.bytes_held <= cache.max_bytes


def test_the_least_recently_used_leaves_first() -> None:
    made = pool()
    cache = prefixes(made, 8)
    cache.store("abcd", cache_of(made, 4))
    cache.store("efgh", cache_of(made, 4))
    assert known(cache, "abcdx") == 4
    cache.store("ijkl", cache_of(made, 4))
    assert [known(cache, text) for text in ("abcdx", "efghx", "ijklx")] == [4, 0, 4]


@pytest.mark.parametrize(("tokens", "kept"), [(4, 4), (3, 0)])
def test_one_that_is_larger_than_all_there_is_is_freed(tokens: int, kept: int) -> None:
    made = pool()
    cache = prefixes(made, tokens)
    cache.store("abcd", cache_of(made, 4))
    assert known(cache, "abcdx") == kept
    assert made.bytes_held == kept * made.bytes_per_token


def test_a_conversation_that_goes_on_takes_the_place_of_its_beginning() -> None:
    made = pool()
    cache = prefixes(made, 99)
    cache.store("abc", cache_of(made, 3))
    cache.store("abcdef", cache_of(made, 6))
    cache.store("abx", cache_of(made, 3))
    assert cache.bytes_held == 9 * made.bytes_per_token


def test_the_last_token_is_read_in_any_case() -> None:
    made = pool()
    cache = prefixes(made, 99)
    cache.store("abcd", cache_of(made, 4))
    assert [known(cache, text) for text in ("abcd", "abc", "ab")] == [3, 2, 1]
    assert cache.find("a") is cache.find("xbcd") is None


def test_what_was_read_further_stays_beside_what_was_read_less() -> None:
    """The second has the same tokens, but its last one has not been read."""
    made = pool()
    cache = prefixes(made, 99)
    for read in (5, 4):
        cache.store("abcde", cache_of(made, read))
    assert known(cache, "abcdex") == 5


@pytest.mark.parametrize(("limit", "shared"), [(5, 4), (4, 0)])
def test_lengths_whose_positions_are_encoded_differently_share_nothing(
    limit: int, shared: int
) -> None:
    made = pool()
    cache = prefixes(made, 99, limit)
    cache.store("abcd", cache_of(made, 4))
    assert known(cache, "abcde") == shared


@pytest.mark.parametrize(("limit", "held"), [(5, 5), (4, 0)])
def test_what_nobody_can_share_is_not_kept(limit: int, held: int) -> None:
    made = pool()
    cache = prefixes(made, 99, limit)
    cache.store("abcde", cache_of(made, 5))
    assert made.bytes_held == held * made.bytes_per_token


def test_running_sequences_serve_as_well() -> None:
    made = pool()
    cache, running = prefixes(made, 99), cache_of(made, 3)
    cache.store("abxx", cache_of(made, 4))
    assert cache.find("abcd", [("abcz", running)]) == (running, 3)


@pytest.mark.parametrize(("begun", "taken", "counted"), [(False, 3, 3), (True, 4, 0)])
def test_what_is_taken_counts_only_before_the_answer_begins(
    begun: bool, taken: int, counted: int
) -> None:
    """An answer that is read again, since positions are now encoded differently, is no prompt."""
    made = pool()
    cache = prefixes(made, 99)
    request = Request(Prompt([5, 6, 7, 8]), SamplingParams(9), (), 0, torch.device("cpu"))
    (sequence,) = request.sequences
    cache.store([*sequence.keys], cache_of(made, 4))
    if begun:
        sequence.accept(TokenOutput(0, 9))
    for _ in range(2):
        cache.reuse(sequence, [request])
        assert (sequence.read, request.cached_tokens) == (taken, counted)


def test_what_another_answer_has_read_further_is_taken() -> None:
    """And counted without what was read before; where it is not further, nothing is copied."""
    made = pool()
    cache = prefixes(made, 0)
    request = Request(Prompt([5, 6, 7, 8]), SamplingParams(9, n=2), (), 0, torch.device("cpu"))
    first, second = request.sequences
    first.kv, second.kv = cache_of(made, 3), cache_of(made, 2)
    cache.reuse(second, [request])
    assert (second.read, request.cached_tokens) == (3, 1)
    kept = second.kv
    cache.reuse(second, [request])
    assert second.kv is kept
