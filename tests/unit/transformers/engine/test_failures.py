"""Whatever fails on the engine's thread, every reader is told, and the next request is answered."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from xinference_internvl2.transformers.engine import async_engine, engine_loop, model_runner
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.engine_loop import BROKEN
from xinference_internvl2.transformers.engine.model_runner import ModelRunner
from xinference_internvl2.transformers.engine.prefix_cache import PrefixCache
from xinference_internvl2.transformers.engine.scheduler import Scheduler
from xinference_internvl2.transformers.engine.sequence import Prompt, Sequence
from xinference_internvl2.transformers.engine.token_stream import TokenStream

from .conftest import Steps, run, started, tokens_of, until

STAGES: dict[str, tuple[Any, str]] = {
    "grouping": (Scheduler, "schedule"),
    "adding": (Scheduler, "add"),
    "finding a prefix": (PrefixCache, "find"),
    "looking": (ModelRunner, "_encode_tiles"),
    "prefill": (ModelRunner, "prefill"),
    "decoding": (ModelRunner, "decode"),
    "switching adapters": (model_runner, "use_adapter"),
    "sampling": (engine_loop, "sample"),
    "accepting": (Sequence, "accept"),
    "storing": (PrefixCache, "store"),
    "delivering": (TokenStream, "put"),
}


async def two(engine: AsyncEngine, prompt: dict[str, Any]) -> list[Any]:
    asked = (tokens_of(engine, number, 20, **prompt) for number in range(2))
    return await asyncio.gather(*asked, return_exceptions=True)


class Fails:
    """Stands for a function and raises once."""

    def __init__(self, original: Any, error: BaseException) -> None:
        self.original, self.errors = original, [error]

    def __get__(self, owner: Any, kind: Any) -> Any:
        return self if owner is None else lambda *args: self(owner, *args)

    def __call__(self, *args: Any) -> Any:
        if self.errors:
            raise self.errors.pop()
        return self.original(*args)


@pytest.mark.parametrize("error", [MemoryError("out of memory"), SystemExit("enough")])
@pytest.mark.parametrize("stage", STAGES)
def test_an_error_reaches_readers_and_the_engine_goes_on(
    tiny: PreTrainedModel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stage: str,
    error: BaseException,
) -> None:
    owner, name = STAGES[stage]
    failing = Fails(getattr(owner, name), error)
    prompt = picture(tiny) if stage == "looking" else {}
    with started(tiny, 2, prefix_cache_bytes=0) as engine:
        monkeypatch.setattr(owner, name, failing)
        found = run(two(engine, prompt))
        assert not failing.errors
        told = [result for result in found if isinstance(result, Exception)]
        assert told
        assert all(result is error or repr(error) in str(result) for result in told)
        assert all(len(result) == 20 for result in found if result not in told)
        assert any(record.exc_info for record in caplog.records)
        assert [len(tokens) for tokens in run(two(engine, prompt))] == [20, 20]
        assert engine._loop._runner.pool.bytes_held == 0


def picture(model: PreTrainedModel) -> dict[str, Any]:
    config = model.config
    size, tokens = config.vision_config.image_size[0], config.image_seq_length
    return {
        "tiles": [np.zeros((3, size, size), np.float32)],
        "image": [config.image_token_id] * tokens,
    }


def test_an_abort_that_fails_is_told_to_the_others(
    tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, steps: Steps
) -> None:
    async def ask(engine: AsyncEngine) -> list[Any]:
        tasks = [asyncio.create_task(tokens_of(engine, n, 9999)) for n in range(2)]
        await until(lambda: steps.decoded(1) > 0)
        monkeypatch.setattr(
            Scheduler, "remove", Fails(Scheduler.remove, MemoryError("out of memory"))
        )
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with started(tiny) as engine:
        _, other = run(ask(engine))
        assert isinstance(other, MemoryError)
        assert len(run(tokens_of(engine, 0, 4))) == 4


def test_an_engine_that_cannot_go_on_ends_and_refuses(
    tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when what frees its requests fails too."""

    def fail(*args: Any) -> Any:
        raise MemoryError("out of memory")

    with started(tiny) as engine:
        monkeypatch.setattr(Scheduler, "schedule", fail)
        monkeypatch.setattr(Scheduler, "remove", fail)
        for _ in range(2):
            assert {str(error) for error in run(two(engine, {}))} == {BROKEN}
        assert "The engine ends." in caplog.text
        monkeypatch.undo()
        assert {str(error) for error in run(two(engine, {}))} == {BROKEN}


def test_an_error_in_a_batch_reaches_that_batch_alone(
    tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adapter that fails leaves those without one alone."""

    def fail(model: PreTrainedModel, name: str | None) -> None:
        if name:
            raise MemoryError("out of memory")

    async def ask(engine: AsyncEngine) -> list[Any]:
        asked = (tokens_of(engine, 1, 20, adapter=adapter) for adapter in (None, "a"))
        return await asyncio.gather(*asked, return_exceptions=True)

    monkeypatch.setattr(model_runner, "use_adapter", fail)
    with started(tiny) as engine:
        tokens, error = run(ask(engine))
    assert len(tokens) == 20
    assert isinstance(error, MemoryError)


def test_an_error_does_not_keep_what_was_being_computed(
    tiny: PreTrainedModel, caplog: pytest.LogCaptureFixture, steps: Steps
) -> None:
    caplog.set_level(logging.CRITICAL, engine_loop.logger.name)  # its records keep errors
    alive: list[weakref.ref[torch.Tensor]] = []

    def fail(kind: str, sequences: Any) -> None:
        tensor = torch.ones(9)
        alive.append(weakref.ref(tensor))
        raise MemoryError

    async def ask(engine: AsyncEngine) -> None:
        with pytest.raises(MemoryError):
            await tokens_of(engine, 0, 9)
        assert alive[0]() is None

    steps.before = fail
    with started(tiny) as engine:
        run(ask(engine))


def test_numbers_that_are_not_finite_are_an_error(
    tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = ModelRunner.decode
    monkeypatch.setattr(ModelRunner, "decode", lambda *args: decode(*args) * torch.nan)
    with started(tiny) as engine, pytest.raises(ArithmeticError, match="not finite"):
        run(tokens_of(engine, 0, 9))


def test_nobody_waits_for_an_engine_that_has_ended(tiny: PreTrainedModel) -> None:
    with started(tiny) as engine:
        pass
    for thread in threading.enumerate():
        if thread.name == "engine":
            thread.join(60)
    with pytest.raises(RuntimeError, match="terminated"):
        run(anext_of(engine))


async def anext_of(engine: AsyncEngine) -> Any:
    return await anext(engine.generate(Prompt([5, 6]), async_engine.SamplingParams(1), []))


def test_an_engine_keeps_no_interpreter_from_its_end(tiny: PreTrainedModel) -> None:
    with started(tiny):
        threads = [thread for thread in threading.enumerate() if thread.name == "engine"]
        assert threads
        assert all(thread.daemon for thread in threads)
