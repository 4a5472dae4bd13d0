"""Which errors of vLLM are the request's."""

from __future__ import annotations

import pytest

from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.errors import RequestError
from xinference_internvl2.grammar import BROKEN_OFF
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.vllm.translate import translate_error


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
