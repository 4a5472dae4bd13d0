"""Answers of several requests, written at once on a thread that has the model for itself."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

from transformers import PreTrainedModel

from ..completion import End, Token
from ..context import Context
from ..generation import Answer, groups, write

AHEAD = 128
"""Tokens that are written ahead of a reader at most. What nobody reads is not written, even where
the host does not say that a client has left."""
STOPPED = "the model was terminated before it had answered; launch it again"

Begin = Callable[[PreTrainedModel, Context | None], list[Answer]]
Event = Token | End | BaseException | None


@dataclass(eq=False, slots=True)
class _Writing:
    """The answers to a request on the way to their reader, who awaits their events in `loop`, the
    last of which is None or an exception. `wanted` is how many tokens more are due."""

    begin: Begin
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    answers: list[Answer] | None = None
    wanted: int = 0
    over: bool = False

    def start(self, model: PreTrainedModel, earlier: Context | None) -> None:
        try:
            self.answers = self.begin(model, earlier)
        except BaseException as error:
            self.fail(error)

    def add(self, answer: Answer, events: Sequence[Event]) -> None:
        assert self.answers is not None
        self.wanted -= 1
        self._post(events)
        if isinstance(events[-1], End):
            self.answers.remove(answer)
            if not self.answers:
                self.over = True
                self._post([None])

    def fail(self, error: BaseException) -> None:
        self.over = True
        self._post([error])

    def _post(self, events: Sequence[Event]) -> None:
        # A loop that is closed has no reader any more.
        with suppress(RuntimeError):
            for event in events:
                self.loop.call_soon_threadsafe(self.events.put_nowait, event)


class Writer:
    """All that torch computes is on the thread of a writer, loading included.

    Each thread that lets torch compute gets threads of OpenMP for that. As soon as there are more
    of them than cores, all wait asleep for their work, which makes decoding slower.

    Args:
        load: returns the model; what it raises is raised here.
        at_once: how many requests are answered at once; others wait in the order of their arrival.
    """

    def __init__(self, load: Callable[[], PreTrainedModel], at_once: int) -> None:
        self._at_once = at_once
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generation")
        self._stopping = threading.Event()
        self._asked: SimpleQueue[tuple[_Writing, int]] = SimpleQueue()
        self._due: list[_Writing] = []
        self._last: Context | None = None
        self.model = self._thread.submit(load).result()

    def stop(self) -> None:
        """Let every reader know that there will be no more."""
        self._stopping.set()
        self._thread.shutdown(wait=False)

    async def write(self, begin: Begin) -> AsyncGenerator[Token | End, None]:
        """Yield the tokens of answers as they are written, and their ends; closing this ends them.

        Args:
            begin: returns the answers to a request, on the writer's thread; it may take what they
                have in common with the last request from the context of that.
        """
        writing = _Writing(begin, asyncio.get_running_loop())
        try:
            self._ask_for(writing, AHEAD)
            for count in itertools.count(1):
                event = await writing.events.get()
                if event is None:
                    return
                if isinstance(event, BaseException):
                    raise event
                yield event
                # Well before it has to wait, so that it keeps its place among those that are due.
                if count % (AHEAD // 2) == 0:
                    self._ask_for(writing, AHEAD // 2)
        finally:
            writing.over = True

    def _ask_for(self, writing: _Writing, tokens: int) -> None:
        if self._stopping.is_set():
            raise RuntimeError(STOPPED)
        self._asked.put((writing, tokens))
        self._thread.submit(self._work)

    def _work(self) -> None:
        while now := self._next():
            self._write(now)

    def _next(self) -> list[_Writing]:
        """The requests of whose answers tokens are due, as many as may be written at once."""
        while not self._asked.empty():
            writing, tokens = self._asked.get()
            writing.wanted += tokens
            self._due += [] if writing in self._due else [writing]
        self._due = [writing for writing in self._due if writing.wanted > 0 and not writing.over]
        if self._stopping.is_set():
            for writing in self._due:
                writing.fail(RuntimeError(STOPPED))
            return []
        return self._due[: self._at_once]

    def _write(self, now: list[_Writing]) -> None:
        # One prompt at a time, so that the answers that have begun go on between them.
        if new := next((writing for writing in now if writing.answers is None), None):
            new.start(self.model, self._last)
            self._last = new.answers[0].context if new.answers else None
        writings = {answer: writing for writing in now for answer in writing.answers or ()}
        for group in groups(self.model, writings):
            try:
                written = write(self.model, group)
            except BaseException as error:
                for answer in group:
                    writings[answer].fail(error)
            else:
                for answer, events in zip(group, written, strict=True):
                    writings[answer].add(answer, events)
