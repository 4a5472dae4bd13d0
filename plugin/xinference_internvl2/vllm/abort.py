"""Answers that a client waits for as a whole, which an abort by name ends where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class WholeAnswers:
    """Runs what answers requests: where one is aborted by name, the host cancels who waits for it,
    as it does where a client leaves."""

    def __init__(self) -> None:
        self._aborted: dict[str, bool] = {}

    async def run(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` does, also after an abort; a client that leaves cancels it."""
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
        """Let who waits for the answer of that name have it, since the engine ends it now."""
        if name in self._aborted:
            self._aborted[name] = True
