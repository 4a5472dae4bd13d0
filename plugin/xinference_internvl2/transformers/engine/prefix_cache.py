"""The prefix cache: what has been read of earlier prompts, used again by prompts that begin alike.

The next question of a conversation takes the time of its own tokens, pictures included.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import takewhile
from operator import eq

from .kv_cache import KVCache
from .sequence import Request
from .sequence import Sequence as Generated

Entry = tuple[Sequence[Hashable], KVCache]
"""The keys of a sequence's tokens, and the cache of those that have been read."""


class PrefixCache:
    """Keeps the caches of finished sequences, the least recently used ones leaving first.

    Args:
        max_bytes: that all of them may hold together.
        fixed_length: the length up to which positions are encoded alike in every sequence; longer
            ones share nothing.
    """

    def __init__(self, max_bytes: int, fixed_length: float) -> None:
        self.max_bytes, self._fixed_length = max_bytes, fixed_length
        self._entries: list[Entry] = []

    @property
    def bytes_held(self) -> int:
        return sum(kv.bytes for _, kv in self._entries)

    def find(
        self, keys: Sequence[Hashable], running: Iterable[Entry] = ()
    ) -> tuple[KVCache, int] | None:
        """The cache that begins with most of the tokens of `keys`, and how many these are.

        Args:
            running: caches of sequences that have not finished, which serve as well.
        """
        best: tuple[int, Entry] | None = None
        for entry in (*running, *self._entries):
            known = self._count_reusable(keys, entry)
            if known > (best[0] if best else 0):
                best = known, entry
        if best is None:
            return None
        known, entry = best
        if entry in self._entries:
            self._entries.append(self._entries.pop(self._entries.index(entry)))
        return entry[1], known

    def reuse(self, sequence: Generated, running: Iterable[Request]) -> None:
        """Let a sequence take what was read of the same tokens, if that is more than it has; also
        by a sequence of the requests that are `running`."""
        others = (
            (other.keys, other.kv)
            for request in running
            for other in request.unfinished
            if other.kv and other is not sequence
        )
        found = self.find(sequence.keys, others)
        if found and found[1] > sequence.read:
            kv, known = found
            if not sequence.has_begun:
                sequence.request.cached_tokens += known - sequence.read
            sequence.free()
            sequence.kv = kv.copy(known, sequence.capacity)

    def _count_reusable(self, keys: Sequence[Hashable], entry: Entry) -> int:
        if max(len(keys), len(entry[0])) > self._fixed_length:
            return 0
        # The last token is read in any case: what follows it is wanted.
        return min(_count_common(keys, entry[0]), entry[1].length, len(keys) - 1)

    def store(self, keys: Sequence[Hashable], kv: KVCache) -> None:
        """Take over the cache of a sequence, in the place of those that it begins with."""
        read = keys[: kv.length]
        if kv.bytes > self.max_bytes or len(keys) > self._fixed_length:
            kv.free()
            return
        for entry in [e for e in self._entries if _count_common(e[0], read) >= e[1].length]:
            self._drop(entry)
        self._entries.append((read, kv))
        while self.bytes_held > self.max_bytes:
            self._drop(self._entries[0])

    def _drop(self, entry: Entry) -> None:
        self._entries.remove(entry)
        entry[1].free()


def _count_common(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Return how many keys both begin with."""
    return sum(1 for _ in takewhile(bool, map(eq, first, second)))
