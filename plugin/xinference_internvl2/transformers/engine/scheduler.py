"""Answers of several requests, written at once on a thread that has the model for itself."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

from transformers import PreTrainedModel

from ...engine import FinishOutput, TokenOutput
from .context import Context
from .generation import Answer, Event, groups, write

logger = logging.getLogger(__name__)

AHEAD = 128
"""Tokens that are written ahead of a reader at most. What nobody reads is not written, even where
the host does not say that a client has left."""
STOPPED = "the model was terminated before it had answered; launch it again"

Begin = Callable[[PreTrainedModel, Context | None], list[Answer]]


@dataclass(eq=False, slots=True)
class _Writing:
    """The answers to a request on the way to their reader, who awaits their events in `loop`, the
    last of which is None or an exception. `wanted` is how many tokens more are due."""

    begin: Begin
    choices: int
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event | BaseException | None] = field(default_factory=asyncio.Queue)
    answers: list[Answer] | None = None
    wanted: int = 0
    over: bool = False

    def add(self, answer: Answer, events: Sequence[Event | BaseException | None]) -> None:
        assert self.answers is not None
        self.wanted -= 1
        self._post(events)
        if isinstance(events[-1], BaseException):
            self.over = True
        elif isinstance(events[-1], FinishOutput):
            self.answers.remove(answer)
            if not self.answers:
                self.over = True
                self._post([None])

    def fail(self, error: BaseException) -> None:
        self.over = True
        self._post([error])

    def _post(self, events: Sequence[Event | BaseException | None]) -> None:
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
        self.at_once = at_once
        self._asked: SimpleQueue[tuple[_Writing, int] | None] = SimpleQueue()
        self._asking = threading.Lock()
        self._stopped = False
        self._open: list[_Writing] = []
        self._last: Context | None = None
        loaded: Future[None] = Future()
        threading.Thread(
            target=self._run, args=(load, loaded), name="generation", daemon=True
        ).start()
        loaded.result()

    def stop(self) -> None:
        """Let every reader know that there will be no more."""
        with self._asking:
            self._stopped = True
            self._asked.put(None)

    async def write(
        self, begin: Begin, choices: int = 1
    ) -> AsyncGenerator[TokenOutput | FinishOutput, None]:
        """Yield the tokens of answers as they are written, and their ends; closing this ends them.

        Args:
            begin: returns the answers to a request, on the writer's thread; it may take what they
                have in common with the last request from the context of that.
            choices: how many answers there will be.
        """
        writing = _Writing(begin, choices, asyncio.get_running_loop())
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
            with suppress(RuntimeError):
                self._ask_for(writing, 0)  # so that it is let go of at once

    def _ask_for(self, writing: _Writing, tokens: int) -> None:
        with self._asking:
            if self._stopped:
                raise RuntimeError(STOPPED)
            self._asked.put((writing, tokens))

    def _run(self, load: Callable[[], PreTrainedModel], loaded: Future[None]) -> None:
        try:
            model = load()
        except BaseException as error:
            loaded.set_exception(error)
            return
        loaded.set_result(None)
        while now := self._next():
            self._write(model, now)
        for writing in self._open:
            writing.fail(RuntimeError(STOPPED))

    def _next(self) -> list[_Writing]:
        """Take in what readers have asked for since, and return what is due, once there is
        something; nothing at the end."""
        while not self._asked.empty() or not (due := self._due()):
            asked = self._asked.get()
            if asked is None:
                return []
            writing, tokens = asked
            writing.wanted += tokens
            if writing not in self._open:
                self._open.append(writing)
            self._open = [writing for writing in self._open if not writing.over]
        return due

    def _due(self) -> list[_Writing]:
        """The requests of whose answers tokens are due, as many as may be written at once."""
        alive = [writing for writing in self._open if not writing.over]
        begun = sum(writing.choices for writing in alive if writing.answers is not None)
        now: list[_Writing] = []
        for writing in alive:
            if writing.wanted <= 0:
                continue
            # Those that rest, as their readers do not read, have caches too.
            begun += writing.choices if writing.answers is None else 0
            together = writing.choices + sum(other.choices for other in now)
            if together > self.at_once or begun > 2 * self.at_once:
                break
            now.append(writing)
        return now

    def _write(self, model: PreTrainedModel, now: list[_Writing]) -> None:
        # One prompt at a time, so that the answers that have begun go on between them.
        if new := next((writing for writing in now if writing.answers is None), None):
            self._begin(model, new)
        writings = {answer: writing for writing in now for answer in writing.answers or ()}
        for group in groups(model, writings):
            try:
                written = write(model, group)
            except BaseException as error:
                logger.exception("An answer could not be written.")
                for answer in group:
                    writings[answer].fail(_without_frames(error))
            else:
                for answer, events in zip(group, written, strict=True):
                    writings[answer].add(answer, events)

    def _begin(self, model: PreTrainedModel, new: _Writing) -> None:
        last, self._last = self._last, None
        try:
            new.answers = new.begin(model, last)
            self._last = new.answers[0].context
        except BaseException as error:
            logger.exception("An answer could not be begun.")
            new.fail(_without_frames(error))


def _without_frames(error: BaseException) -> BaseException:
    """They hold what was being computed, for as long as somebody holds the error."""
    return error.with_traceback(None)
