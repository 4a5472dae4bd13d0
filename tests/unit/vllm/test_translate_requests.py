"""What vLLM answers, and which of its errors are the request's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.engine_outputs import FinishOutput, TokenOutput
from xinference_internvl2.errors import RequestError
from xinference_internvl2.grammar import BROKEN_OFF
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.vllm import translate_requests
from xinference_internvl2.vllm.translate_requests import (
    translate_error,
    translate_output,
    translate_prompt,
)


@pytest.mark.parametrize(
    ("error", "form", "sentence"),
    [
        (RequestError("prompt: no"), None, "prompt: no"),
        (ValueError("no such token"), None, "vLLM refuses the request: no such token"),
        (RuntimeError("vLLM request 1 failed (finish_reason=error)"), ("regex", "a"), BROKEN_OFF),
    ],
)
def test_an_error_that_is_the_requests(
    error: Exception, form: tuple[str, str] | None, sentence: str
) -> None:
    request = ChatRequest([], [], SamplingParams(1, constraint=form), [])
    found = translate_error(error, request)
    assert isinstance(found, RequestError)
    assert str(found) == sentence


@pytest.mark.parametrize(
    ("message", "form"), [("(finish_reason=error)", None), ("out of memory", ("regex", "a"))]
)
def test_an_error_that_is_not(message: str, form: tuple[str, str] | None) -> None:
    error = RuntimeError(message)
    assert (
        translate_error(error, ChatRequest([], [], SamplingParams(1, constraint=form), [])) is error
    )


@pytest.mark.parametrize(
    ("logprobs", "top"), [(0, ()), (1, ((5, -0.5),)), (2, ((5, -0.5), (6, -1.0)))]
)
def test_a_token_has_as_many_likeliest_ones_as_are_asked_for(
    logprobs: int, top: tuple[tuple[int, float], ...]
) -> None:
    """vLLM gives the token itself besides."""
    likeliest = {token: SimpleNamespace(logprob=value) for token, value in ((7, -3.0), *top)}
    part = SimpleNamespace(
        index=0, token_ids=[7, 9], logprobs=[likeliest] * 2, finish_reason="stop"
    )
    parameters = SimpleNamespace(stop_token_ids=[9], logprobs=logprobs)
    assert [*translate_output(part, parameters)] == [
        TokenOutput(0, 7, -3.0, top),
        FinishOutput(0, "stop", 9),
    ]


def test_a_prompt_has_its_tiles_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate_requests, "insert_placeholders", lambda ids, tokenizer: [*ids, 9])
    monkeypatch.setattr(translate_requests, "stack_tiles", len)
    tokenizer: Any = None
    tiles = [np.zeros((2, 3, 4, 4), np.uint8), np.zeros((1, 3, 4, 4), np.uint8)]
    request = ChatRequest([1], [], SamplingParams(5), [], tiles=tiles, cache_salt="a")
    images = {"image": [2, 1]}
    whole = {"cache_salt": "a", "prompt_token_ids": [1, 9], "multi_modal_data": images}
    assert translate_prompt(request, tokenizer) == whole
    text = ChatRequest([1], [], SamplingParams(5), [])
    assert translate_prompt(text, tokenizer) == {"prompt_token_ids": [1]}
