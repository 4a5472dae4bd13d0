"""The flow of a chat request that both engines share: request → engine → response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..engine import Outputs
from .detokenizer import Detokenizer
from .request import ChatRequest, ServedCheckpoint, prepare_on_thread
from .response import build_response, detokenize

Generate = Callable[[ChatRequest], Awaitable[Outputs]]
"""Hands a request to an engine and returns its outputs."""


async def answer(
    model_uid: str,
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None,
    served: ServedCheckpoint,
    generate: Generate,
) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
    """Answer an OpenAI chat request with a completion, or with chunks if `stream` is set.

    Args:
        config: the fields of the request beside its messages, as the host hands them over.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    request = await prepare_on_thread(messages, config or {}, served)
    outputs = await generate(request)
    detokenizers = [_detokenizer(request, served) for _ in range(request.sampling.n)]
    deltas = detokenize(outputs, detokenizers, served.tokenizer)
    return await build_response(model_uid, request, deltas)


def _detokenizer(request: ChatRequest, served: ServedCheckpoint) -> Detokenizer:
    return Detokenizer(
        served.tokenizer,
        request.sampling.stop,
        min_tokens=request.sampling.min_tokens,
        skip_special_tokens=request.skip_special_tokens,
        hidden=served.stop_ids,
    )


async def count_tokens(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None,
    served: ServedCheckpoint,
) -> int:
    """Return the length of the prompt, image tokens included; errors as for `answer`."""
    return len((await prepare_on_thread(messages, config or {}, served)).ids)
