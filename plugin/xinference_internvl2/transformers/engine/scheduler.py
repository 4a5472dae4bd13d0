"""The scheduler: which sequences take part in the next step of the model.

Two requests, A with a long prompt while B is being answered, are computed as:

    step   prefill         decode
    1      A, tokens 1-512      B
    2      A, tokens 513-1024   B
    3      A, the rest          B       A's first token
    4                           A, B

- waiting: a request has no KV cache yet. Requests leave this queue in the order of their arrival,
  as soon as there is room for their sequences, in number and in bytes.
- prefill: the tokens of a sequence are read, a chunk each step, so that others need not wait.
  Short prompts are read together, as many as fit into a chunk.
- decode: one token is read and the next one sampled for every running sequence, in batches; where
  it can be, in one pass with what is read of prompts.
- paused: a sequence whose reader does not keep up (`token_stream`) keeps its KV cache, but takes
  part in no step.
- abort: the reader has left; the sequences of a request end where they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field

from .sequence import Request, Sequence, Status

CHUNK = 512
"""Tokens of a prompt that are read in one step: enough of them for products of matrices to be
fast, and few enough for running sequences not to wait long."""


@dataclass(slots=True)
class Step:
    """The sequences that may be read together, the first of them in any case, and the batches of
    those that are decoded."""

    prefill: list[Sequence] = field(default_factory=list)
    batches: list[list[Sequence]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.prefill or self.batches)


class Scheduler:
    """Keeps requests in the order of their arrival, and says who shares a step.

    Args:
        max_sequences: in one step; twice as many may have a KV cache, the paused ones included.
        max_tokens: to which the sequences that have a KV cache may grow together. A request that
            needs more runs alone.
        encoding: by the length of a sequence, what those have in common whose positions are
            encoded alike; None if no other is.
    """

    def __init__(
        self, max_sequences: int, max_tokens: float, encoding: Callable[[int], Hashable | None]
    ) -> None:
        self.max_sequences, self.max_tokens = max_sequences, max_tokens
        self._encoding = encoding
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self._oldest_next = True

    def add(self, request: Request) -> None:
        self.waiting.append(request)

    def remove(self, request: Request) -> None:
        """Forget a request that is finished or aborted, wherever it is."""
        if request in self.running:
            self.running.remove(request)
        elif request in self.waiting:
            self.waiting.remove(request)

    def schedule(self) -> Step:
        """The next step; an empty one if there is nothing to do."""
        active = [sequence for request in self._admit() for sequence in request.unfinished]
        groups: dict[Hashable, list[Sequence]] = {}
        for sequence in active:
            if sequence.status is Status.RUNNING:
                groups.setdefault(self._batch_key(sequence), []).append(sequence)
        prompts = [sequence for sequence in active if sequence.status is Status.PREFILL]
        return Step(self._choose_prefill(prompts), list(groups.values()))

    def are_alike(self, one: Sequence, other: Sequence) -> bool:
        """Whether two sequences can be computed in one batch."""
        return self._batch_key(one) == self._batch_key(other)

    def _admit(self) -> list[Request]:
        """The requests that take part, in the order of their arrival, with those that begin."""
        active: list[Request] = []
        for request in self.running:
            if request.wanted > 0 and self._fits(active, request):
                active.append(request)
        while self.waiting and self._fits(active, self.waiting[0]) and self._has_room():
            request = self.waiting.popleft()
            request.sequences[0].status = Status.PREFILL
            self.running.append(request)
            active.append(request)
        return active

    def _fits(self, active: list[Request], request: Request) -> bool:
        return _count([*active, request]) <= self.max_sequences

    def _has_room(self) -> bool:
        """Whether the first waiting request may have a KV cache beside those that are there."""
        if not self.running:
            return True
        requests = [*self.running, self.waiting[0]]
        tokens = sum(request.most_tokens for request in requests)
        return _count(requests) <= 2 * self.max_sequences and tokens <= self.max_tokens

    def _batch_key(self, sequence: Sequence) -> Hashable:
        """Return what is equal for sequences that can be computed in one batch."""
        alike = self._encoding(sequence.tokens) or id(sequence)
        return sequence.request.prompt.adapter, alike

    def _choose_prefill(self, prompts: list[Sequence]) -> list[Sequence]:
        """Take the oldest prompt and the one with the fewest unread tokens in turn, so that none
        waits for ever and a short question does not wait for long ones. Short ones come along."""
        if not prompts:
            return []
        self._oldest_next = not self._oldest_next
        chosen = prompts[0]
        if self._oldest_next:
            chosen = min(prompts, key=lambda sequence: sequence.tokens - sequence.read)
        if not _is_short(chosen):
            return [chosen]
        kind = self._batch_key(chosen)
        others = [each for each in prompts if _is_short(each) and self._batch_key(each) == kind]
        return [chosen, *(each for each in others if each is not chosen)]


def next_chunk(sequence: Sequence) -> range:
    """Return the positions of a sequence that are read in the next step of its prefill."""
    return range(sequence.read, min(sequence.read + CHUNK, sequence.tokens))


def fit_into_chunk(sequences: Collection[Sequence]) -> bool:
    """Whether one step can read all that is unread of `sequences`, or of the only one a chunk."""
    return len(sequences) == 1 or sum(one.tokens - one.read for one in sequences) <= CHUNK


def _is_short(sequence: Sequence) -> bool:
    return sequence.tokens <= CHUNK and not sequence.request.prompt.has_pictures


def _count(requests: list[Request]) -> int:
    return sum(len(request.unfinished) for request in requests)
