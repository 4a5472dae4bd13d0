"""Sampling against the definitions."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.sampler import SamplerState, choose, sample

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


LAST = 1 - 2**-24  # the largest random number of `SamplerState.draw`


@pytest.mark.parametrize(
    ("point", "token"), [(0.0, 1), (0.4999, 1), (0.5, 3), (0.7499, 3), (0.75, 4), (LAST, 4)]
)
def test_a_point_of_the_cumulative_probabilities_is_a_token(point: float, token: int) -> None:
    logits = torch.tensor([[0.0, 0.5, 0.0, 0.25, 0.25, 0.0]]).log()
    assert choose(logits, torch.tensor([point])).tolist() == [token]


def test_what_is_impossible_is_never_chosen() -> None:
    logits = torch.randn(64, 5000) * 3
    logits[:, ::2] = -torch.inf
    logits[:, 4000:] = -torch.inf
    for point in (0.0, 0.5, LAST, 1.0):  # the last by rounding
        tokens = choose(logits, torch.full((64,), point))
        assert logits.gather(1, tokens[:, None]).isfinite().all()


def test_tokens_are_as_frequent_as_they_are_likely() -> None:
    probabilities, draws = torch.tensor([0.4, 0.3, 0.2, 0.1]), 4000
    state = SamplerState(SamplingParams(9, temperature=1.0, seed=7), 0, [0], [], CPU)
    points = torch.tensor([state.draw() for _ in range(draws)])
    counts = choose(probabilities.log().expand(draws, -1), points).bincount(minlength=4)
    chi_square = ((counts - draws * probabilities) ** 2 / (draws * probabilities)).sum()
    assert chi_square < 16.3  # more in one of a thousand seeds


@pytest.mark.parametrize(("seed", "choice", "same"), [(5, 1, (6, 0)), (0, 2, (1, 1))])
def test_each_answer_has_the_seed_after_the_one_before(
    seed: int, choice: int, same: tuple[int, int]
) -> None:
    def drawn(seed: int, choice: int) -> float:
        return SamplerState(SamplingParams(9, seed=seed), choice, [0], [], CPU).draw()

    assert drawn(seed, choice) == drawn(*same) != drawn(seed, choice + 1)
