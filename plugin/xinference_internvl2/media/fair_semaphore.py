"""Places of which there are few: who finds none stands in line for the next that is free."""

from __future__ import annotations

from collections import deque
from threading import Event, Lock


class FairSemaphore:
    """As many places as `count`, each held in a `with` block, given out in the order of arrival.

    Of the standard library's semaphores and queues a thread that comes back at once takes what it
    has just given, before those that wait are awake.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._line: deque[Event] = deque()
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = Event()
            self._line.append(turn)
        turn.wait()

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1
