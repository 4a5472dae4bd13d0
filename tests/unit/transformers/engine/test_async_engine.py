"""Tokens for several readers, generated at once on a thread of their own."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.support.generate import generate_tokens
from tests.tiny import make_checkpoint
from xinference_internvl2.engine_outputs import FinishOutput, PromptOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits
from xinference_internvl2.transformers.engine.engine_loop import STOPPED
from xinference_internvl2.transformers.engine.sequence import Prompt
from xinference_internvl2.transformers.engine.token_stream import MAX_AHEAD
from xinference_internvl2.transformers.model.from_checkpoint import load_model

from .conftest import Steps, all_of, ids, run, started, tokens_of, until

LONG = 3 * MAX_AHEAD


def alone(model: PreTrainedModel, number: int, sampling: SamplingParams, n: int = 0) -> list[int]:
    prompt = torch.tensor([ids(number)])
    return [token.id for token in generate_tokens(model, prompt, None, sampling, [], n)]


@pytest.mark.parametrize("max_sequences", [1, 3, 16])
def test_every_reader_has_its_own_tokens(tiny: PreTrainedModel, max_sequences: int) -> None:
    lengths = [1, MAX_AHEAD, MAX_AHEAD + 1, 5, 40, 7]
    wanted = [alone(tiny, number, SamplingParams(n)) for number, n in enumerate(lengths)]

    async def ask(engine: AsyncEngine) -> list[list[int]]:
        asked = (tokens_of(engine, number, n) for number, n in enumerate(lengths))
        return await asyncio.gather(*asked)

    with started(tiny, max_sequences) as engine:
        assert run(ask(engine)) == wanted


def test_sequences_of_a_request_come_side_by_side(tiny: PreTrainedModel, steps: Steps) -> None:
    """And read its prompt once."""
    sampling = SamplingParams(2 * MAX_AHEAD, temperature=1.0, seed=5, n=3)
    with started(tiny) as engine:
        outputs = run(all_of_prompt(engine, sampling))
    assert [kind for kind, _ in steps.log].count("prefill") == 1
    assert [output.choice for output in outputs[:6]] == [0, 1, 2, 0, 1, 2]
    for choice in range(3):
        own = [output for output in outputs if output.choice == choice]
        assert [output.id for output in own[:-1]] == alone(tiny, 0, sampling, choice)
        assert own[-1] == FinishOutput(choice, "length")


async def all_of_prompt(engine: AsyncEngine, sampling: SamplingParams) -> list[Any]:
    return await all_of(engine.generate(Prompt(ids(0)), sampling, []))


@pytest.mark.parametrize(("n", "most"), [(1, 3), (2, 2), (3, 3)])
def test_no_more_sequences_share_a_step_than_allowed(
    tiny: PreTrainedModel, steps: Steps, n: int, most: int
) -> None:
    async def ask(engine: AsyncEngine) -> None:
        await asyncio.gather(*(tokens_of(engine, number, 30, n) for number in range(6)))

    with started(tiny, 3) as engine:
        run(ask(engine))
    assert max(steps.sizes()) == most


def test_a_sequence_that_is_read_keeps_its_place(tiny: PreTrainedModel, steps: Steps) -> None:
    """Otherwise all that wait would begin, and have a cache, before the first ones end."""

    async def ask(engine: AsyncEngine) -> None:
        await asyncio.gather(*(tokens_of(engine, n, LONG if n < 2 else 1) for n in range(4)))

    with started(tiny, 2) as engine:
        run(ask(engine))
    third = next(at for at, (_, numbers) in enumerate(steps.log) if 2 in numbers)
    assert sum(0 in numbers for _, numbers in steps.log[:third]) == LONG


def test_what_is_closed_is_not_generated_on(tiny: PreTrainedModel, steps: Steps) -> None:
    """Nor begun, if it was closed before that; and its cache is freed."""
    reading, go_on = threading.Event(), threading.Event()

    def wait(kind: str, sequences: Any) -> None:
        reading.set()
        go_on.wait(60)

    async def ask(engine: AsyncEngine) -> int:
        first = asyncio.create_task(tokens_of(engine, 0, LONG))
        await asyncio.to_thread(reading.wait, 60)
        second = asyncio.create_task(tokens_of(engine, 1, LONG))
        await until(lambda: len(engine._streams) == 2)
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        go_on.set()
        return len(await tokens_of(engine, 2, 9))

    steps.before = wait
    with started(tiny, prefix_cache_bytes=0) as engine:
        assert run(ask(engine)) == 9
        assert engine._loop._runner.pool.bytes_held == 0
    assert steps.begun() == [0, 2]
    assert steps.decoded(0) == 0


def test_paused_readers_keep_few_caches_and_come_before_new_ones(
    tiny: PreTrainedModel, steps: Steps
) -> None:
    async def ask(engine: AsyncEngine) -> None:
        first, second, *others = (
            engine.generate(Prompt(ids(number)), SamplingParams(LONG), []) for number in range(4)
        )
        await anext(first)
        await until(lambda: steps.decoded(0) == MAX_AHEAD - 1)
        await anext(second)
        waiting = [asyncio.create_task(anext(reader)) for reader in others]
        await until(lambda: steps.decoded(1) == MAX_AHEAD - 1)
        # Both are paused, and hold all the caches there may be.
        await asyncio.sleep(0)
        assert steps.begun() == [0, 1]
        # The first one is read to its end while others wait.
        assert (await all_of(first))[-1] == FinishOutput(0, "length")
        await waiting[0]
        assert steps.begun() == [0, 1, 2]
        await until(lambda: steps.decoded(2) == MAX_AHEAD - 1)
        await second.aclose()
        await waiting[1]
        assert steps.begun() == [0, 1, 2, 3]
        for reader in others:
            await reader.aclose()

    with started(tiny, 1) as engine:
        run(ask(engine))


def test_no_more_than_so_much_is_generated_ahead_of_a_reader(
    tiny: PreTrainedModel, steps: Steps
) -> None:
    async def ask(engine: AsyncEngine) -> None:
        outputs = engine.generate(Prompt(ids(0)), SamplingParams(LONG), [])
        await anext(outputs)
        # Others are answered however long a reader pauses.
        for number in (1, 2):
            assert len(await tokens_of(engine, number, MAX_AHEAD)) == MAX_AHEAD
        assert steps.decoded(0) == MAX_AHEAD - 1
        rest = await all_of(outputs)
        assert rest[-1] == FinishOutput(0, "length")
        assert len(rest) == LONG + 1

    with started(tiny) as engine:
        run(ask(engine))
    assert steps.decoded(0) == LONG - 1


@pytest.mark.parametrize(
    ("read", "decoded"), [(MAX_AHEAD // 2 - 1, MAX_AHEAD), (MAX_AHEAD // 2, 3 * MAX_AHEAD // 2)]
)
def test_a_reader_asks_for_more_well_before_it_waits(
    tiny: PreTrainedModel, steps: Steps, read: int, decoded: int
) -> None:
    async def ask(engine: AsyncEngine) -> None:
        outputs = engine.generate(Prompt(ids(0)), SamplingParams(LONG), [])
        # The request for more follows the token that is yielded.
        for _ in range(read + 1):
            await anext(outputs)
        await until(lambda: steps.decoded(0) == decoded - 1)
        await tokens_of(engine, 1, 9)
        assert steps.decoded(0) == decoded - 1
        await outputs.aclose()

    with started(tiny) as engine:
        run(ask(engine))


def test_a_reader_whose_loop_is_gone_is_aborted(tiny: PreTrainedModel, steps: Steps) -> None:
    async def leave(engine: AsyncEngine) -> None:
        await anext(engine.generate(Prompt(ids(0)), SamplingParams(LONG), []))

    with started(tiny, 1, prefix_cache_bytes=0) as engine:
        reading, go_on = threading.Event(), threading.Event()

        def wait(kind: str, sequences: Any) -> None:
            if kind == "decode" and not reading.is_set():
                reading.set()
                go_on.wait(60)

        steps.before = wait
        loop = asyncio.new_event_loop()
        loop.run_until_complete(leave(engine))
        reading.wait(60)
        loop.close()
        go_on.set()
        assert len(run(tokens_of(engine, 1, 4))) == 4
        assert engine._loop._runner.pool.bytes_held == 0
    assert steps.decoded(0) == 1


def test_a_stop_reaches_every_reader(tiny: PreTrainedModel, steps: Steps) -> None:
    async def ask(engine: AsyncEngine) -> list[Any]:
        asked = [asyncio.create_task(tokens_of(engine, n, 9999)) for n in range(4)]
        await until(lambda: steps.decoded(0) > 0)
        engine.stop()
        found = await asyncio.gather(*asked, return_exceptions=True)
        late = await asyncio.gather(tokens_of(engine, 4, 4), return_exceptions=True)
        return found + late

    with started(tiny, 2) as engine:
        found = run(ask(engine))
    assert [str(error) for error in found] == [STOPPED] * 5


def test_a_stop_lets_go_of_the_model(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="qwen2", dtype="float32")
    models: list[weakref.ref[PreTrainedModel]] = []

    def load() -> PreTrainedModel:
        model = load_model(path)
        models.append(weakref.ref(model))
        return model

    engine = AsyncEngine(load, EngineLimits(1))
    assert len(run(tokens_of(engine, 0, 4))) == 4
    engine.stop()
    assert not [one for one in threading.enumerate() if one.name == "engine"]
    gc.collect()
    assert models[0]() is None


def test_an_unloadable_model_is_no_engine() -> None:
    def fail() -> PreTrainedModel:
        raise FileNotFoundError("model.safetensors")

    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        AsyncEngine(fail, EngineLimits(1))


def test_a_request_can_be_aborted_by_its_name(tiny: PreTrainedModel) -> None:
    async def ask(engine: AsyncEngine) -> list[Any]:
        sampling = SamplingParams(100_000, n=2)
        outputs = engine.generate(Prompt(ids(0)), sampling, [], name="mine")
        await anext(outputs)
        other = asyncio.create_task(tokens_of(engine, 1, 5))
        assert not engine.abort("another")
        assert engine.abort("mine")
        rest = await all_of(outputs)
        assert len(await other) == 5
        assert not engine.abort("mine")
        return rest

    with started(tiny) as engine:
        rest = run(ask(engine))
    assert rest[-2:] == [FinishOutput(0, "stop"), FinishOutput(1, "stop")]


def test_it_is_told_how_much_of_a_prompt_was_known(tiny: PreTrainedModel) -> None:
    async def known(engine: AsyncEngine, salt: str, n: int = 1) -> list[PromptOutput]:
        prompt = Prompt(ids(90), salt=salt)
        outputs = engine.generate(prompt, SamplingParams(3, n=n), [])
        return [output async for output in outputs if isinstance(output, PromptOutput)]

    async def ask(engine: AsyncEngine) -> list[list[PromptOutput]]:
        return [await known(engine, *job) for job in (("a",), ("a", 2), ("b",))]

    with started(tiny) as engine:
        found = run(ask(engine))
    # The last token is always read again, for its logits.
    assert found == [[PromptOutput(0)], [PromptOutput(len(ids(90)) - 1)], [PromptOutput(0)]]
