"""What all requests together hold before they are answered, and who waits for it.

Half of the budget is for files as they were fetched, half for what is decoded of them. A request
takes of the first, then of the second, so that none that holds files can keep another from being
decoded. It waits in the order of arrival, and gives back what it holds as soon as its answer
begins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from threading import RLock

from ..errors import OverloadedError, RequestError
from .limits import DEFAULT_WAITING
from .machine import default_memory, trim

_WORTH_A_TRIM = 16 << 20


@dataclass(eq=False, slots=True)
class _Waiting:
    size: int
    loop: asyncio.AbstractEventLoop
    admitted: asyncio.Future[None]
    granted: bool = False


class _Pool:
    """Bytes of which requests take their part, in the order of arrival."""

    def __init__(self, total: int) -> None:
        self.total = self.free = total
        self.line: deque[_Waiting] = deque()
        # A hold that is forgotten is given back by the garbage collector, which may run in here.
        self.lock = RLock()

    def take_at_once(self, size: int) -> bool:
        with self.lock:
            if self.line or size > self.free:
                return False
            self.free -= size
            return True

    async def wait(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(size, loop, loop.create_future())
        with self.lock:
            self.line.append(waiting)
        self.give_back(0)
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            with self.lock:
                if waiting.granted:
                    self.give_back(size)
                else:
                    self.line.remove(waiting)
            self.give_back(0)
            raise

    def give_back(self, size: int) -> None:
        with self.lock:
            self.free += size
            while self.line and self.line[0].size <= self.free:
                waiting = self.line.popleft()
                self.free -= waiting.size
                waiting.granted = True
                try:
                    waiting.loop.call_soon_threadsafe(_admit, waiting.admitted)
                except RuntimeError:  # A loop that is closed has nobody who waits.
                    self.free += waiting.size


def _admit(admitted: asyncio.Future[None]) -> None:
    if not admitted.done():
        admitted.set_result(None)


class Budget:
    """The memory of one launched model for requests that are not answered yet.

    Args:
        memory: in bytes; as much as the machine allows if None.
        waiting: how many requests may wait for it; others are told to come again.
    """

    def __init__(self, memory: int | None = None, waiting: int = DEFAULT_WAITING) -> None:
        memory = default_memory() if memory is None else memory
        self.files, self.tiles = _Pool(memory // 2), _Pool(memory - memory // 2)
        self._most_waiting = waiting

    async def take(self, pool: _Pool, size: int) -> None:
        """Take `size` bytes of `pool`, once they are there.

        Raises:
            RequestError: there will never be so many.
            OverloadedError: too many wait already.
        """
        if size > pool.total:
            raise RequestError(
                f"the images and videos of the request take {size >> 20} MB, more than the "
                f"{pool.total >> 20} MB that all requests share; send fewer, or launch the model "
                "with a larger --media_memory"
            )
        if pool.take_at_once(size):
            return
        if len(self.files.line) + len(self.tiles.line) >= self._most_waiting:
            raise OverloadedError(
                f"{self._most_waiting} requests wait for memory for their images and videos "
                "already; send the request again later"
            )
        await pool.wait(size)


class Hold:
    """What one request holds of a budget; it ends with `release`, or when nobody knows it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._files = self._tiles = 0

    async def take_files(self, size: int) -> None:
        """Wait until `size` bytes of files may be held; errors as for `Budget.take`."""
        await self._budget.take(self._budget.files, size)
        self._files += size

    async def take_tiles(self, size: int) -> None:
        """Wait until `size` bytes of tiles may be held; errors as for `Budget.take`."""
        await self._budget.take(self._budget.tiles, size)
        self._tiles += size

    def keep_files(self, size: int) -> None:
        """Give back what the files take beyond `size` bytes."""
        excess = max(self._files - size, 0)
        self._files -= excess
        self._budget.files.give_back(excess)

    def release(self) -> None:
        """Give everything back, to the system too."""
        self.keep_files(0)
        tiles, self._tiles = self._tiles, 0
        self._budget.tiles.give_back(tiles)
        if tiles >= _WORTH_A_TRIM:
            trim()

    def __del__(self) -> None:
        self.release()
