"""Bounds the memory that the media of all requests hold before they are answered.

A quarter of the budget is for files that are being fetched, a quarter for files that have arrived,
and half for decoded tiles and the decoders. A request passes these pools in this order and never
goes back, so that no two requests wait for each other, and none waits for somebody else's image
server. Requests wait in the order of arrival; each releases its memory when its answer begins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from threading import RLock

from ..errors import OverloadedError, RequestError
from ..system_memory import memory as machine_memory
from ..system_memory import trim
from .limits import DEFAULT_WAITING, MAX_MEMORY, MIN_MEMORY

_TRIM_BYTES = 16 << 20


@dataclass(eq=False, slots=True)
class _Waiter:
    """A request that waits for bytes, and the future that admits it."""

    size: int
    loop: asyncio.AbstractEventLoop
    admitted: asyncio.Future[None]
    granted: bool = False


class _Pool:
    """A number of bytes that requests take from, in the order of arrival."""

    def __init__(self, total: int) -> None:
        self.total = self.free = total
        self.queue: deque[_Waiter] = deque()
        # Reentrant: the garbage collector, which releases forgotten reservations, may run in here.
        self.lock = RLock()

    def try_take(self, size: int) -> bool:
        """Take `size` bytes if they are free and nobody waits, and return whether it did."""
        with self.lock:
            if self.queue or size > self.free:
                return False
            self.free -= size
            return True

    async def wait(self, size: int) -> None:
        """Take `size` bytes once they are free and all who came before have theirs."""
        loop = asyncio.get_running_loop()
        waiting = _Waiter(size, loop, loop.create_future())
        with self.lock:
            self.queue.append(waiting)
        self.release(0)
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            with self.lock:
                if waiting.granted:
                    self.release(size)
                else:
                    self.queue.remove(waiting)
            self.release(0)
            raise

    def release(self, size: int) -> None:
        """Add `size` bytes to the free ones, and admit the next that wait."""
        with self.lock:
            self.free += size
            while self.queue and self.queue[0].size <= self.free:
                waiting = self.queue.popleft()
                self.free -= waiting.size
                waiting.granted = True
                try:
                    waiting.loop.call_soon_threadsafe(_admit, waiting.admitted)
                except RuntimeError:  # The loop is closed, so nobody waits any more.
                    self.free += waiting.size


def _admit(admitted: asyncio.Future[None]) -> None:
    if not admitted.done():
        admitted.set_result(None)


def default_memory() -> int:
    """Return an eighth of the machine's memory within bounds, in bytes and whole MB."""
    megabytes = min(max(machine_memory().total // 8, MIN_MEMORY), MAX_MEMORY) >> 20
    return megabytes << 20


class Budget:
    """The memory of one launched model for requests that are not answered yet.

    Args:
        memory: in bytes; None takes the default for this machine.
        waiting: how many requests may wait for memory; more are refused.
    """

    def __init__(self, memory: int | None = None, waiting: int = DEFAULT_WAITING) -> None:
        memory = default_memory() if memory is None else memory
        self.fetched, self.files = _Pool(memory // 4), _Pool(memory // 4)
        self.tiles = _Pool(memory // 2)
        self._max_waiting = waiting

    async def take(self, pool: _Pool, size: int) -> None:
        """Wait until `size` bytes of `pool` are free, and take them.

        Raises:
            RequestError: the whole pool has fewer.
            OverloadedError: too many requests wait already.
        """
        if size > pool.total:
            raise RequestError(
                f"the images and videos of the request take {size >> 20} MB, more than the "
                f"{pool.total >> 20} MB that all requests share; send fewer, or launch the model "
                "with a larger --media_memory"
            )
        if pool.try_take(size):
            return
        waiting = sum(len(each.queue) for each in (self.fetched, self.files, self.tiles))
        if waiting >= self._max_waiting:
            raise OverloadedError(
                f"{self._max_waiting} requests wait for memory for their images and videos "
                "already; send the request again later"
            )
        await pool.wait(size)


class Reservation:
    """The memory that one request has taken from a budget, until it is released or forgotten."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._pool, self._size = budget.files, 0

    async def move_to(self, pool: _Pool, size: int) -> None:
        """Take `size` bytes of `pool`, then release those of the pool before.

        Raises:
            RequestError, OverloadedError: as for `Budget.take`.
        """
        await self._budget.take(pool, size)
        self.release()
        self._pool, self._size = pool, size

    async def move_to_tiles(self, held: int, decoding: int) -> None:
        """Take memory for what stays and for decoding, then release that of the pool before.

        A decoder that needs more than the whole pool gets all of it, and works alone.

        Args:
            held: bytes that stay until the answer begins.
            decoding: bytes that a decoder takes beside them.
        """
        pool = self._budget.tiles
        await self.move_to(pool, max(held, min(held + decoding, pool.total)))

    def shrink(self, size: int) -> None:
        """Keep only `size` bytes."""
        self._pool.release(self._size - size)
        self._size = size

    def release(self) -> None:
        """Release everything, to the system too."""
        size, self._size = self._size, 0
        self._pool.release(size)
        if self._pool is self._budget.tiles and size >= _TRIM_BYTES:
            trim()

    def __del__(self) -> None:
        self.release()
