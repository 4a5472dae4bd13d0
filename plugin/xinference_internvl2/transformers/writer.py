"""Answers of several requests, written at once on a thread that has the model for itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

from transformers import PreTrainedModel

from ..completion import End, Token
from ..generation import Answer, groups, write

TURN = 128
"""Tokens of an answer after which its reader has to have them all before there are more. What
nobody reads is not written, even where the host does not say that a client has left."""
STOPPED = "the model was terminated before it had answered; launch it again"

Begin = Callable[[PreTrainedModel], Answer]
Event = Token | End | BaseException


@dataclass(eq=False, slots=True)
class _Writing:
    """An answer on the way to its reader, who awaits its events in `loop`."""

    begin: Begin
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    answer: Answer | None = None
    left: int = 0
    over: bool = False

    def post(self, events: Sequence[Event]) -> None:
        self.left -= 1
        self.over = self.over or not isinstance(events[-1], Token)
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
        at_once: how many answers are written at once; others wait in the order of their arrival.
    """

    def __init__(self, load: Callable[[], PreTrainedModel], at_once: int) -> None:
        self._at_once = at_once
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generation")
        self._stopping = threading.Event()
        self._arrived: SimpleQueue[_Writing] = SimpleQueue()
        self._due: list[_Writing] = []
        self.model = self._thread.submit(load).result()

    def stop(self) -> None:
        """Let every reader know that there will be no more."""
        self._stopping.set()
        self._thread.shutdown(wait=False)

    async def write(self, begin: Begin) -> AsyncGenerator[Token | End, None]:
        """Yield the tokens of an answer as they are written, and its end; closing this ends it.

        Args:
            begin: makes the answer, on the writer's thread.
        """
        writing = _Writing(begin, asyncio.get_running_loop())
        try:
            while True:
                self._take(writing)
                for _ in range(TURN):
                    event = await writing.events.get()
                    if isinstance(event, BaseException):
                        raise event
                    yield event
                    if isinstance(event, End):
                        return
        finally:
            writing.over = True

    def _take(self, writing: _Writing) -> None:
        if self._stopping.is_set():
            raise RuntimeError(STOPPED)
        self._arrived.put(writing)
        self._thread.submit(self._work)

    def _work(self) -> None:
        while now := self._next():
            self._write(now)

    def _next(self) -> list[_Writing]:
        """The answers of which a token is due."""
        self._due = [writing for writing in self._due if writing.left and not writing.over]
        while not self._arrived.empty():
            arrived = self._arrived.get()
            arrived.left = TURN
            self._due += [] if arrived.over else [arrived]
        if self._stopping.is_set():
            for writing in self._due:
                writing.post([RuntimeError(STOPPED)])
            return []
        return self._due[: self._at_once]

    def _write(self, now: list[_Writing]) -> None:
        # One prompt at a time, so that the answers that have begun go on between them.
        begun = [writing for writing in now if writing.answer is not None]
        if new := next((writing for writing in now if writing.answer is None), None):
            try:
                new.answer = new.begin(self.model)
                begun.append(new)
            except BaseException as error:
                new.post([error])
        writings = {writing.answer: writing for writing in begun if writing.answer is not None}
        for group in groups(self.model, writings):
            try:
                written: Sequence[Sequence[Event]] = write(self.model, group)
            except BaseException as error:
                written = [[error]] * len(group)
            for answer, events in zip(group, written, strict=True):
                writings[answer].post(events)
