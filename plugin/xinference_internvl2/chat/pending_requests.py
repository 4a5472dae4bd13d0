"""Requests that are being prepared, so that they can be aborted before an engine has them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..errors import RequestError

T = TypeVar("T")


class PendingRequests:
    """The tasks that prepare requests, in one event loop."""

    def __init__(self) -> None:
        self._names: dict[asyncio.Task[Any], str | None] = {}
        self._aborted: set[asyncio.Task[Any]] = set()

    async def run(self, name: str | None, work: Coroutine[Any, Any, T]) -> T:
        """Run `work`, which prepares the request `name`, and return its result.

        Raises:
            RequestError: the request was aborted meanwhile.
        """
        task = asyncio.ensure_future(work)
        self._names[task] = name
        try:
            return await task
        except asyncio.CancelledError:
            if task in self._aborted:
                raise RequestError(
                    f"request_id {name}: the request was aborted before its answer began"
                ) from None
            raise
        finally:
            del self._names[task]
            self._aborted.discard(task)

    def abort(self, name: str) -> bool:
        """Abort the requests of that name, and return whether there are any."""
        found = [task for task, its_name in self._names.items() if its_name == name]
        for task in found:
            self._aborted.add(task)
            task.cancel()
        return bool(found)
