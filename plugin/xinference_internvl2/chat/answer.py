"""The way of a chat request through any engine: request → engine → response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..engine import Outputs
from .request import ChatRequest, ServedCheckpoint, prepared
from .response import deltas, response

Generate = Callable[[ChatRequest], Awaitable[Outputs]]
"""Hands a request to an engine and returns what that generates."""


async def answer(
    model_uid: str,
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None,
    served: ServedCheckpoint,
    generate: Generate,
) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
    """Answer an OpenAI chat request: the completion, or its chunks if `stream` is set.

    Args:
        config: the fields of the request beside its messages, as the host hands them over.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    request = await prepared(messages, config or {}, served)
    outputs = await generate(request)
    sampling = request.sampling
    parts = deltas(outputs, range(sampling.n), served.tokenizer, sampling.stop)
    return await response(model_uid, request, parts)


async def count_tokens(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None,
    served: ServedCheckpoint,
) -> int:
    """The length of the prompt, with the tokens of its images; errors as for `answer`."""
    return len((await prepared(messages, config or {}, served)).ids)
