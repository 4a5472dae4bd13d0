"""What the engine's thread hands to a reader in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...engine_outputs import FinishOutput, PromptOutput, TokenOutput

Item = PromptOutput | TokenOutput | FinishOutput | BaseException | None


class TokenStream:
    """Items for a reader, who is told the end by None or an exception."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Item] = asyncio.Queue()

    def put(self, *items: Item) -> bool:
        """Hand over items; False if the loop is closed and has no reader any more."""
        try:
            self._loop.call_soon_threadsafe(self._put_all, items)
        except RuntimeError:
            return False
        return True

    def _put_all(self, items: Sequence[Item]) -> None:
        for item in items:
            self._items.put_nowait(item)

    async def get(self) -> Item:
        return await self._items.get()


def to_reader_error(error: BaseException) -> Exception:
    """Return an error as a reader may have it."""
    if isinstance(error, Exception):
        # Frames hold what was being computed, for as long as somebody holds the error.
        return error.with_traceback(None)
    # Others, such as SystemExit, would end the reader's event loop.
    return RuntimeError(f"the model's engine failed: {error!r:.200}")
