"""Returns what there is of an answer that is aborted by name, where no stream has delivered it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class AbortShield:
    """Keeps answers from being cancelled when they are aborted by name.

    The host cancels the task that waits for an answer both when it is aborted and when its client
    leaves. After an abort, the engine ends the answer, and it is returned.
    """

    def __init__(self) -> None:
        self._aborted: dict[str, bool] = {}

    async def run(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Run `work`, which answers the request `name`; an abort does not cancel it."""
        task = asyncio.ensure_future(work)
        self._aborted[name] = False
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._aborted.get(name):
                return await task
            task.cancel()
            raise
        finally:
            self._aborted.pop(name, None)

    def abort(self, name: str) -> None:
        """Note that the request of that name is being aborted."""
        if name in self._aborted:
            self._aborted[name] = True
