"""Sampling against the definitions."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.sampler import SamplerState, sample

CPU = torch.device("cpu")


def chosen(probabilities: list[float], times: int = 40, **options: Any) -> set[int]:
    logits = torch.tensor([probabilities]).log().expand(times, -1)
    states = [
        SamplerState(SamplingParams(9, temperature=1.0, seed=seed, **options), 0, [0], [], CPU)
        for seed in range(times)
    ]
    tokens = sample(logits, states)
    return {token.id for token in tokens if isinstance(token, TokenOutput)}


@pytest.mark.parametrize(
    ("min_p", "left"), [(0.0, {0, 1, 2}), (0.45, {0, 1}), (0.55, {0}), (1.0, {0})]
)
def test_tokens_less_likely_than_a_part_of_the_likeliest_are_left_out(
    min_p: float, left: set[int]
) -> None:
    assert chosen([0.5, 0.25, 0.25 / 2, 1e-9], min_p=min_p) == left


@pytest.mark.parametrize("generated", [0, 2, 3])
def test_nothing_ends_a_sequence_before_so_many_tokens(generated: int) -> None:
    ids = [7, 8]
    state = SamplerState(SamplingParams(9, min_tokens=3), 0, ids, [4], CPU)
    ids += [1] * generated
    logits = torch.zeros(1, 6)
    logits[0, 4], logits[0, 2] = 2.0, 1.0
    (token,) = sample(logits, [state])
    assert isinstance(token, TokenOutput)
    assert token.id == (4 if generated >= 3 else 2)


def test_a_sequence_draws_the_same_whatever_is_beside_it() -> None:
    logits = torch.randn(5, 50)

    def state(seed: int) -> SamplerState:
        temperature = seed / 2
        return SamplerState(
            SamplingParams(9, temperature=temperature, top_p=0.8, seed=seed, logprobs=2),
            *(0, [3], [], CPU),
        )

    together = sample(logits, [state(seed) for seed in range(5)])
    alone = [sample(logits[seed : seed + 1], [state(seed)])[0] for seed in range(5)]
    assert together == alone


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (5, 5), (6, 6), (7, 6)])
def test_no_more_logprobs_are_given_than_there_are_tokens(asked: int, given: int) -> None:
    state = SamplerState(SamplingParams(9, logprobs=asked), 0, [3], [], CPU)
    (token,) = sample(torch.randn(1, 6), [state])
    assert isinstance(token, TokenOutput)
    assert len(token.top) == given
