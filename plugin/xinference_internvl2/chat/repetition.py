"""Ends an answer that repeats itself, as endless lists of a greedy model do."""

from __future__ import annotations

from collections import Counter, deque


class RepetitionBreaker:
    """Counts the runs of `size` tokens of one answer.

    Args:
        size: tokens of a run.
        threshold: how often the same run may stand in the answer before it is enough.
    """

    def __init__(self, size: int, threshold: int) -> None:
        self._last: deque[int] = deque(maxlen=size)
        self._threshold = threshold
        self._counts: Counter[tuple[int, ...]] = Counter()

    def repeats(self, token: int) -> bool:
        """Whether the run that ends with this next token now stands there often enough."""
        self._last.append(token)
        if len(self._last) < (self._last.maxlen or 0):
            return False
        run = tuple(self._last)
        self._counts[run] += 1
        return self._counts[run] >= self._threshold
