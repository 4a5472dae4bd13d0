"""Ends a request whose client has left; the host would answer it to its end.

The host itself ends a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

CLIENT_CLOSED_REQUEST = 499


async def answer_unless_client_leaves(request: Any, answer: Awaitable[Any]) -> Any:
    """Return the result of `answer`, or cancel it as soon as the client of `request` has left."""
    from starlette.responses import Response

    answering = asyncio.ensure_future(answer)
    leaving = asyncio.create_task(_wait_for_disconnect(request))
    try:
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await answering if answering.done() else Response(status_code=CLIENT_CLOSED_REQUEST)
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _wait_for_disconnect(request: Any) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
