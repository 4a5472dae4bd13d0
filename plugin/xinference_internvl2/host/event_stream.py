"""Starts the event stream of an answer or refuses it, and writes errors for its clients.

The sentence and the status of an error come from `model_errors`, which logs it, too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from .api_call import ApiCall
from .error_message import clean_message
from .openai_error import build_error


class StreamRefusedError(Exception):
    """The first event of a stream is an error: nothing is sent yet, and the request is refused."""


async def start_stream(response: Any, call: ApiCall) -> Any:
    """Return `response` once its first event is there, as soon as the request is prepared.

    Raises:
        StreamRefusedError: that event is an error.
    """
    events = response.body_iterator
    # In a task of its own: when the client leaves, the host cancels the one that waits for it.
    first = await asyncio.create_task(_take_first(events))
    if (message := _find_error(first)) is not None:
        await events.aclose()
        raise StreamRefusedError(message)
    response.body_iterator = _continue_stream(first, events, call)
    return response


async def _take_first(events: AsyncGenerator[Any, None]) -> Any:
    return await anext(events, None)


async def _continue_stream(
    first: Any, events: AsyncGenerator[Any, None], call: ApiCall
) -> AsyncGenerator[Any, None]:
    try:
        if first is not None:
            yield first
        async for event in events:
            message = _find_error(event)
            if message is None:
                yield event
            else:
                error = build_error(call.status, message, call)
                yield {"data": json.dumps({"error": error})}
    finally:
        await events.aclose()


def _find_error(event: Any) -> str | None:
    """Return the message of an error event of the host; None for other events."""
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, str) or not data.startswith('{"error":'):
        return None
    return clean_message(json.loads(data)["error"])
