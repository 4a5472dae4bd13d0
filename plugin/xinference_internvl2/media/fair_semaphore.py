"""A semaphore that lets threads in strictly in the order of arrival."""

from __future__ import annotations

from collections import deque
from threading import Event, Lock


class FairSemaphore:
    """Lets at most `count` threads into its `with` block, in the order of arrival.

    With the semaphores and queues of the standard library, a thread that comes back at once gets in
    again before those that wait are awake.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._queue: deque[Event] = deque()
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = Event()
            self._queue.append(turn)
        turn.wait()

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1
