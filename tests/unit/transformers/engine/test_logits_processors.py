"""What changes logits, against the definitions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import TopPLogitsWarper

from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.errors import RequestError
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.logits_processors import build_processors
from xinference_internvl2.transformers.engine.sampler import SamplerState, sample

CPU = torch.device("cpu")
PROMPT = [3, 1, 2]


def next_token(logits: list[float], said: tuple[int, ...] = (), **options: Any) -> Any:
    """The greedy token after a prompt and what has been said since."""
    ids = [*PROMPT]
    state = SamplerState(SamplingParams(9, **options), 0, ids, [], CPU)
    ids += said
    (token,) = sample(torch.tensor([logits]), [state])
    return token.id if isinstance(token, TokenOutput) else token


LOGITS = [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("options", "said", "token"),
    [
        ({}, (), 4),
        ({"allowed_token_ids": (1, 2)}, (), 2),
        ({"logit_bias": {4: -1.5, 0: 0.5}}, (), 3),
        ({"logit_bias": {0: 100.0}}, (), 0),
        ({"bad_word_ids": ((4,), (3,))}, (), 2),
        # The prompt is no part of the answer, and a word is only bad as a whole.
        ({"bad_word_ids": ((1, 2, 4),)}, (), 4),
        ({"bad_word_ids": ((1, 2, 4),)}, (2,), 4),
        ({"bad_word_ids": ((1, 2, 4),)}, (0, 1, 2), 3),
        ({"bad_word_ids": ((1, 2, 4),)}, (1, 2, 0), 4),
        ({"allowed_token_ids": (2, 4), "bad_word_ids": ((4,),)}, (), 2),
        # The first counts tokens of the answer once, the second as often as they are said.
        ({"presence_penalty": 1.5}, (4,), 3),
        ({"presence_penalty": 0.9}, (4, 4), 4),
        ({"frequency_penalty": 0.9}, (4,), 4),
        ({"frequency_penalty": 0.9}, (4, 4), 3),
    ],
)
def test_what_may_come(options: dict[str, Any], said: tuple[int, ...], token: int) -> None:
    assert next_token(LOGITS, said, **options) == token


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_where_no_token_is_left_the_request_alone_fails(temperature: float) -> None:
    options: dict[str, Any] = {"allowed_token_ids": (4,), "bad_word_ids": ((4,),)}
    states = [
        SamplerState(SamplingParams(9, temperature, **each), 0, [*PROMPT], [], CPU)
        for each in (options, {})
    ]
    refused, answered = sample(torch.tensor([LOGITS] * 2), states)
    assert isinstance(refused, RequestError)
    assert str(refused).startswith("the options of the request leave no token that may come next")
    assert isinstance(answered, TokenOutput)


@pytest.mark.parametrize(
    ("options", "filters"),
    [
        ({"temperature": 0.0, "top_k": 1, "top_p": 0.1, "min_p": 0.1}, 0),
        ({"temperature": 0.1}, 1),
        ({"top_k": 0, "top_p": 1.0, "min_p": 0.0}, 1),
        ({"top_k": 1}, 2),
        ({"top_p": 0.999}, 2),
        ({"min_p": 0.001}, 2),
    ],
)
def test_a_filter_is_there_where_it_leaves_something_out(
    options: dict[str, float], filters: int
) -> None:
    sampling = SamplingParams(9, **{"temperature": 1.0, **options})  # type: ignore[arg-type]
    assert len(build_processors(sampling, 0, [], CPU)) == filters


@pytest.mark.parametrize("vocabulary", [3, 1024, 1025, 9000])
@pytest.mark.parametrize("spread", [0.0, 0.5, 4.0], ids=["flat", "wide", "narrow"])
@pytest.mark.parametrize("top_p", [1e-6, 0.1, 0.5, 0.9, 0.9999])
def test_top_p_leaves_what_transformers_leaves(
    vocabulary: int, spread: float, top_p: float
) -> None:
    # Every token has another probability, so that there is one right set.
    row = (torch.arange(vocabulary) * (spread + 0.01) / 100)[torch.randperm(vocabulary)][None]
    wanted = TopPLogitsWarper(top_p)(torch.zeros(1, 0).long(), row)
    (_, ours) = build_processors(SamplingParams(9, 1.0, top_p=top_p), 0, [], CPU)
    found = ours(torch.zeros(1, 0).long(), row)
    assert abs(int(found.isfinite().sum() - wanted.isfinite().sum())) <= 1  # of their rounding
    left = found.isfinite()
    assert torch.equal(found[left], row[left])
    assert found[~left].isneginf().all()
    assert left.all() or row[left].min() > row[~left].max()


@pytest.mark.parametrize(("top_p", "sorts"), [(0.499, False), (0.501, True)])
def test_a_cpu_sorts_a_vocabulary_only_where_the_likeliest_are_not_enough(
    monkeypatch: pytest.MonkeyPatch, top_p: float, sorts: bool
) -> None:
    """The likeliest 1024 are enough for half of 2048 tokens that are equally likely."""
    calls: list[torch.Tensor] = []
    monkeypatch.setattr(TopPLogitsWarper, "__call__", lambda _, __, row: calls.append(row) or row)
    (_, ours) = build_processors(SamplingParams(9, 1.0, top_p=top_p), 0, [], CPU)
    ours(torch.zeros(1, 0).long(), torch.zeros(1, 2048))
    assert bool(calls) is sorts
