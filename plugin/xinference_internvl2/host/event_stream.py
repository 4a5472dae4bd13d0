"""The event stream of an answer: refused before it begins, and errors in it that clients read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from .api_call import ApiCall
from .error_response import error_object, read_sentence


class StreamRefused(Exception):
    """The first event of a stream is an error, so that the request can still be refused."""


async def start_stream(response: Any, call: ApiCall) -> Any:
    """Return `response` once its first event is there, which is as soon as the request is prepared.

    Raises:
        StreamRefused: that event is an error.
    """
    events = response.body_iterator
    # The host cancels the task that asks for the first event when the client leaves: not this one.
    first = await asyncio.create_task(_take_first(events))
    if (message := _error_in(first)) is not None:
        await events.aclose()
        raise StreamRefused(message)
    response.body_iterator = _go_on(first, events, call)
    return response


async def _take_first(events: AsyncGenerator[Any, None]) -> Any:
    return await anext(events, None)


async def _go_on(
    first: Any, events: AsyncGenerator[Any, None], call: ApiCall
) -> AsyncGenerator[Any, None]:
    try:
        if first is not None:
            yield first
        async for event in events:
            message = _error_in(event)
            if message is None:
                yield event
            else:
                error = error_object(call.status, message, call)
                yield {"data": json.dumps({"error": error})}
    finally:
        await events.aclose()


def _error_in(event: Any) -> str | None:
    """The message of an event that the host makes of an error."""
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, str) or not data.startswith('{"error":'):
        return None
    return read_sentence(json.loads(data)["error"])
