"""The flow of a chat request that both engines share: request → engine → response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from ..engine_outputs import Outputs
from ..media.memory_budget import Reservation
from .chat_response import build_render_response, build_response
from .prepare_within_budget import decode_media, prepare_request
from .read_options import merge_fields
from .request import ChatRequest
from .served_checkpoint import ServedCheckpoint
from .text_deltas import generate_text

Generate = Callable[[ChatRequest], Awaitable[Outputs]]
"""Hands a request to an engine, and returns the outputs of the engine."""


async def answer(
    model_uid: str,
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None,
    served: ServedCheckpoint,
    generate: Generate,
) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
    """Answer an OpenAI chat request with a completion, or with chunks if `stream` is set.

    Args:
        config: the other fields of the request, as the host hands them over.
        generate: hands the request to the engine.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    name = merge_fields(config or {}).get("request_id")
    work = _prepare(messages, config or {}, served, generate)
    request, outputs = await served.pending.run(name, work)
    if outputs is None:
        return build_render_response(model_uid, request)
    deltas = generate_text(request, outputs, served)
    return await build_response(model_uid, request, deltas)


async def _prepare(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    served: ServedCheckpoint,
    generate: Generate,
) -> tuple[ChatRequest, Outputs | None]:
    """Return a request that has been handed to the engine, and its outputs; None for `render`."""
    reservation = Reservation(served.budget)
    try:
        request = await prepare_request(messages, config, served, reservation)
        if request.render:
            reservation.release()
            return request, None
        request = await decode_media(request, served, reservation)
        return request, _release_at_first_output(await generate(request), reservation)
    except BaseException:
        reservation.release()
        raise


async def _release_at_first_output(outputs: Outputs, reservation: Reservation) -> Outputs:
    """Yield `outputs`, and release the memory at the first: the engine has read the tiles."""
    try:
        async with aclosing(outputs):
            async for output in outputs:
                reservation.release()
                yield output
    finally:
        reservation.release()
