"""Detects an answer that repeats itself, as a greedy model may without end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from .option_conflicts import check_repetition


class RepetitionDetector:
    """Counts the n-grams of one answer.

    Args:
        size: tokens of an n-gram.
        threshold: how often an n-gram has to occur for a repetition.
    """

    def __init__(self, size: int, threshold: int) -> None:
        self._last: deque[int] = deque(maxlen=size)
        self._threshold = threshold
        self._counts: Counter[tuple[int, ...]] = Counter()

    def add(self, token: int) -> bool:
        """Add the next token, and return whether the n-gram that it ends has occurred too often."""
        self._last.append(token)
        if len(self._last) < (self._last.maxlen or 0):
            return False
        ngram = tuple(self._last)
        self._counts[ngram] += 1
        return self._counts[ngram] >= self._threshold


def read_repetition(options: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the size and the threshold of a `RepetitionDetector`; None without the options.

    Raises:
        RequestError: there is only one of the two.
    """
    check_repetition(options)
    if "repetition_ngram_size" not in options:
        return None
    return options["repetition_ngram_size"], options["repetition_ngram_threshold"]
