"""What all requests together hold before they are answered, and who waits for it.

A quarter of the budget is for files that are being fetched, a quarter for files that are here, half
for what is being decoded, with the memory of its decoder, or is decoded. A request goes through
them in this order and never back, so that none can keep another from being decoded, and none waits
for a foreign image server. It waits in the order of arrival, and gives back what it holds as soon
as its answer begins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from threading import RLock

from ..errors import OverloadedError, RequestError
from ..system_memory import trim
from .limits import DEFAULT_WAITING, default_memory

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
        self.fetched, self.files = _Pool(memory // 4), _Pool(memory // 4)
        self.tiles = _Pool(memory // 2)
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
        waiting = sum(len(each.line) for each in (self.fetched, self.files, self.tiles))
        if waiting >= self._most_waiting:
            raise OverloadedError(
                f"{self._most_waiting} requests wait for memory for their images and videos "
                "already; send the request again later"
            )
        await pool.wait(size)


class Hold:
    """What one request holds of a budget; it ends with `release`, or when nobody knows it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._pool, self._size = budget.files, 0

    async def move_to(self, pool: _Pool, size: int) -> None:
        """Wait until `size` bytes of `pool` may be held, and give back what was held of others;
        errors as for `Budget.take`."""
        await self._budget.take(pool, size)
        self.release()
        self._pool, self._size = pool, size

    def shrink(self, size: int) -> None:
        """Hold only `size` bytes from here on."""
        self._pool.give_back(self._size - size)
        self._size = size

    def release(self) -> None:
        """Give everything back, to the system too."""
        size, self._size = self._size, 0
        self._pool.give_back(size)
        if self._pool is self._budget.tiles and size >= _WORTH_A_TRIM:
            trim()

    def __del__(self) -> None:
        self.release()
