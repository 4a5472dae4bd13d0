"""What the engine's thread hands to a reader in an event loop, and the back pressure: for a reader
who does not keep up, as where a client does not read, no more is generated than `MAX_AHEAD`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ...engine_outputs import FinishOutput, PromptOutput, TokenOutput

Output = PromptOutput | TokenOutput | FinishOutput
Item = Output | BaseException | None
MAX_AHEAD = 128
"""Tokens that are generated ahead of a reader at most. What nobody reads is not generated, even
where Xinference does not say that a client has left."""


class TokenStream:
    """Items for a reader, who is told the end by None or an exception.

    Args:
        ask: lets so many more tokens be generated than the first `MAX_AHEAD`.
    """

    def __init__(self, ask: Callable[[int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._ask, self._read = ask, 0

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

    async def read(self) -> Output | None:
        """Return the next output, or None at the end; raise the error of a request that failed."""
        # Well before it has to wait, so that it keeps its place in the batch.
        if self._read and self._read % (MAX_AHEAD // 2) == 0:
            self._ask(MAX_AHEAD // 2)
        item = await self._items.get()
        if isinstance(item, BaseException):
            raise item
        self._read += 1
        return item


def to_reader_error(error: BaseException) -> Exception:
    """Return an error as a reader may have it."""
    if isinstance(error, Exception):
        # Frames hold what was being computed, for as long as somebody holds the error.
        return error.with_traceback(None)
    # Others, such as SystemExit, would end the reader's event loop.
    return RuntimeError(f"the model's engine failed: {error!r:.200}")
