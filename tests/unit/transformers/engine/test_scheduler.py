"""Answers of several readers, written at once on a thread of their own."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.support.generate import generate_tokens
from tests.tiny import make_checkpoint
from xinference_internvl2.engine import FinishOutput, SamplingParams, TokenOutput
from xinference_internvl2.transformers.engine import scheduler as module
from xinference_internvl2.transformers.engine.context import Context
from xinference_internvl2.transformers.engine.generation import Answer, begin
from xinference_internvl2.transformers.engine.scheduler import AHEAD, STOPPED, Begin, Writer
from xinference_internvl2.transformers.model.from_checkpoint import load_model

LONG = 3 * AHEAD


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    path = make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2")
    return load_model(path, dtype="float32")


@contextmanager
def writing(model: PreTrainedModel, at_once: int = 16) -> Iterator[Writer]:
    writer = Writer(lambda: model, at_once)
    try:
        yield writer
    finally:
        writer.stop()


def prompt(number: int) -> torch.Tensor:
    return torch.arange(5, 9 + number)[None]


def ask_for(
    number: int, tokens: int, on: Callable[[], Any] = lambda: None, choices: int = 1
) -> Begin:
    def begun(model: PreTrainedModel, earlier: Context | None) -> list[Answer]:
        on()
        sampling = SamplingParams(tokens, n=choices)
        return begin(model, prompt(number), None, sampling, [], earlier=earlier)

    return begun


class Steps:
    """How many answers each step of the writer has written a token of, and to which prompts."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._prompts: Counter[int] = Counter()

    def add(self, answers: list[Answer]) -> None:
        self.sizes.append(len(answers))
        self._prompts.update(answer.context.prompt.shape[1] for answer in answers)

    def tokens(self, number: int) -> int:
        return self._prompts[prompt(number).shape[1]]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    found, write = Steps(), module.write

    def counted(model: PreTrainedModel, answers: list[Answer]) -> Any:
        found.add(answers)
        return write(model, answers)

    monkeypatch.setattr(module, "write", counted)
    return found


async def ids(writer: Writer, begun: Begin, choices: int = 1) -> list[int]:
    async with aclosing(writer.write(begun, choices)) as events:
        return [event.id async for event in events if isinstance(event, TokenOutput)]


def run(task: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(task, 120))


@pytest.mark.parametrize("at_once", [1, 3, 16])
def test_every_reader_has_its_own_answer(model: PreTrainedModel, at_once: int) -> None:
    lengths = [1, AHEAD, AHEAD + 1, 5, 40, 7]
    wanted = [
        [
            token.id
            for token in generate_tokens(model, prompt(number), None, SamplingParams(length), [])
        ]
        for number, length in enumerate(lengths)
    ]

    async def ask(writer: Writer) -> list[list[int]]:
        asked = [ids(writer, ask_for(number, length)) for number, length in enumerate(lengths)]
        return await asyncio.gather(*asked)

    with writing(model, at_once) as writer:
        assert run(ask(writer)) == wanted


def test_answers_to_one_request_come_side_by_side(model: PreTrainedModel) -> None:
    sampling = SamplingParams(2 * AHEAD, temperature=1.0, seed=5, n=3)
    wanted = [
        [token.id for token in generate_tokens(model, prompt(0), None, sampling, [], choice)]
        for choice in range(3)
    ]

    async def ask(writer: Writer) -> list[TokenOutput | FinishOutput]:
        return [event async for event in writer.write(several, 3)]

    def several(model: PreTrainedModel, _: Context | None) -> list[Answer]:
        return begin(model, prompt(0), None, sampling, [])

    with writing(model) as writer:
        events = run(ask(writer))
    assert [event.choice for event in events[:6]] == [0, 1, 2, 0, 1, 2]
    for choice, answer in enumerate(wanted):
        own = [event for event in events if event.choice == choice]
        assert [event.id for event in own[:-1]] == answer
        assert own[-1] == FinishOutput(choice, "length")


@pytest.mark.parametrize("choices", [1, 2])
def test_no_more_are_written_at_once_than_allowed(
    model: PreTrainedModel, steps: Steps, choices: int
) -> None:
    async def ask(writer: Writer) -> None:
        asked = (ids(writer, ask_for(number, 30, choices=choices), choices) for number in range(6))
        await asyncio.gather(*asked)

    with writing(model, 3) as writer:
        run(ask(writer))
    assert max(steps.sizes) == 3 // choices * choices


def test_an_answer_that_is_read_keeps_its_place(model: PreTrainedModel) -> None:
    """Otherwise all that wait would begin, and have a cache, before the first ones end."""
    ends: list[int] = []

    async def ask(writer: Writer) -> None:
        async def one(number: int) -> None:
            await ids(writer, ask_for(number, LONG if number < 2 else 1))
            ends.append(number)

        await asyncio.gather(*(one(number) for number in range(4)))

    with writing(model, 2) as writer:
        run(ask(writer))
    assert sorted(ends[:2]) == [0, 1]


def test_what_cannot_begin_stops_nobody_else(model: PreTrainedModel) -> None:
    def fail() -> None:
        raise ValueError("no such picture")

    async def ask(writer: Writer) -> list[Any]:
        asked = [ids(writer, ask_for(0, 20)), ids(writer, ask_for(1, 20, fail))]
        return await asyncio.gather(*asked, ids(writer, ask_for(2, 20)), return_exceptions=True)

    with writing(model) as writer:
        first, failed, last = run(ask(writer))
    assert len(first) == len(last) == 20
    assert isinstance(failed, ValueError)


def test_an_error_does_not_keep_what_was_being_computed(
    model: PreTrainedModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, module.logger.name)  # its records keep errors
    alive: list[weakref.ref[torch.Tensor]] = []

    def fail() -> None:
        tensor = torch.ones(9)
        alive.append(weakref.ref(tensor))
        raise MemoryError

    async def ask(writer: Writer) -> None:
        with pytest.raises(MemoryError):
            await ids(writer, ask_for(0, 9, fail))
        assert alive[0]() is None

    with writing(model) as writer:
        run(ask(writer))


def test_all_of_a_batch_that_fails_are_told(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module.write

    def failing(model: PreTrainedModel, answers: list[Answer]) -> Any:
        if len(answers) > 1:
            raise MemoryError("out of memory")
        return write(model, answers)

    async def ask(writer: Writer) -> list[Any]:
        asked = (ids(writer, ask_for(number, 20)) for number in range(2))
        return await asyncio.gather(*asked, return_exceptions=True)

    with writing(model) as writer:
        monkeypatch.setattr(module, "write", failing)
        assert [type(found) for found in run(ask(writer))] == [MemoryError, MemoryError]
        monkeypatch.undo()
        assert len(run(ids(writer, ask_for(0, 4)))) == 4


def test_what_is_closed_is_not_written_on(model: PreTrainedModel, steps: Steps) -> None:
    """Nor begun, if it was closed before that."""
    begun, started, go_on = [], threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        go_on.wait(60)

    async def ask(writer: Writer) -> int:
        first = asyncio.create_task(ids(writer, ask_for(0, LONG, wait)))
        second = asyncio.create_task(ids(writer, ask_for(1, LONG, lambda: begun.append(1))))
        await asyncio.to_thread(started.wait, 60)
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        go_on.set()
        return len(await ids(writer, ask_for(2, 9)))

    with writing(model) as writer:
        assert run(ask(writer)) == 9
    assert not begun
    assert steps.tokens(0) <= 1


def test_readers_that_rest_keep_few_caches_and_come_before_new_ones(
    model: PreTrainedModel,
) -> None:
    begun: list[int] = []

    async def ask(writer: Writer) -> None:
        readers = [
            writer.write(ask_for(number, LONG, lambda number=number: begun.append(number)))
            for number in range(4)
        ]
        first, second, *others = readers
        await anext(first)
        await anext(second)
        waiting = [asyncio.create_task(anext(reader)) for reader in others]
        await asyncio.sleep(0.5)
        assert begun == [0, 1]
        # The first one is read to its end while others wait.
        assert [event async for event in first][-1] == FinishOutput(0, "length")
        await asyncio.wait_for(waiting[0], 60)
        assert begun == [0, 1, 2]
        await asyncio.sleep(0.5)  # until all that have begun rest
        await second.aclose()
        await asyncio.wait_for(waiting[1], 60)
        assert begun == [0, 1, 2, 3]
        for reader in others:
            await reader.aclose()

    with writing(model, 1) as writer:
        run(ask(writer))


def test_nothing_is_written_ahead_of_a_reader_but_so_much(
    model: PreTrainedModel, steps: Steps
) -> None:
    async def ask(writer: Writer) -> None:
        events = writer.write(ask_for(0, LONG))
        await anext(events)
        # Others are answered however long an answer is left unread.
        for _ in range(2):
            assert len(await ids(writer, ask_for(1, AHEAD))) == AHEAD
        assert steps.tokens(0) == AHEAD
        rest = [event async for event in events]
        assert rest[-1] == FinishOutput(0, "length")
        assert len(rest) == LONG

    with writing(model) as writer:
        run(ask(writer))
    assert (steps.tokens(0), steps.tokens(1)) == (LONG, 2 * AHEAD)


def test_a_stop_reaches_every_reader(model: PreTrainedModel) -> None:
    async def ask(writer: Writer) -> list[Any]:
        started = threading.Event()
        first = asyncio.create_task(ids(writer, ask_for(0, 9999, started.set)))
        others = (ids(writer, ask_for(number, 9999)) for number in range(1, 4))
        asked = [first, *map(asyncio.create_task, others)]
        await asyncio.to_thread(started.wait, 60)
        writer.stop()
        asked.append(asyncio.create_task(ids(writer, ask_for(4, 4))))
        return await asyncio.gather(*asked, return_exceptions=True)

    with writing(model, 2) as writer:
        found = run(ask(writer))
    assert [str(error) for error in found] == [STOPPED] * 5


def test_a_stop_lets_go_of_the_model(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="qwen2", dtype="float32")
    models: list[weakref.ref[PreTrainedModel]] = []

    def load() -> PreTrainedModel:
        model = load_model(path)
        models.append(weakref.ref(model))
        return model

    writer = Writer(load, 1)
    assert len(run(ids(writer, ask_for(0, 4)))) == 4
    writer.stop()
    deadline = time.monotonic() + 30
    while models[0]() is not None and time.monotonic() < deadline:
        time.sleep(0.1)
        gc.collect()
    assert models[0]() is None


def test_an_unloadable_model_is_no_writer() -> None:
    def fail() -> PreTrainedModel:
        raise FileNotFoundError("model.safetensors")

    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        Writer(fail, 1)
