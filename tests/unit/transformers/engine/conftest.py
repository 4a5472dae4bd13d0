"""A tiny model, and an engine that generates with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.tiny import make_checkpoint
from xinference_internvl2.engine_outputs import FinishOutput, PromptOutput, TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits
from xinference_internvl2.transformers.engine.model_runner import ModelRunner
from xinference_internvl2.transformers.engine.sequence import Prompt, Sequence, Status
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.speed_up import speed_up


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    path = make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2")
    model = load_model(path, dtype="float32")
    speed_up(model)
    return model


@contextmanager
def started(
    model: PreTrainedModel, max_sequences: int = 16, **limits: int
) -> Iterator[AsyncEngine]:
    engine = AsyncEngine(lambda: model, EngineLimits(max_sequences, **limits))
    try:
        yield engine
    finally:
        engine.stop()


def ids(number: int) -> list[int]:
    """A prompt whose length tells its number; each begins differently."""
    return [5 + number, *range(6, 9 + number)]


async def tokens_of(
    engine: AsyncEngine, number: int, tokens: int, n: int = 1, image: Any = (), **prompt: Any
) -> list[int]:
    asked = Prompt([*ids(number), *image], **prompt)
    outputs = engine.generate(asked, SamplingParams(tokens, n=n), [])
    async with aclosing(outputs):
        return [output.id async for output in outputs if isinstance(output, TokenOutput)]


async def all_of(outputs: Any) -> list[TokenOutput | FinishOutput]:
    return [output async for output in outputs if not isinstance(output, PromptOutput)]


def run(task: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(task, 300))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread brings about."""
    while not condition():
        await asyncio.sleep(0.005)


class Steps:
    """The steps of the runner: of which prompts a chunk was read, and which were decoded, by the
    numbers of `ids`."""

    def __init__(self) -> None:
        self.log: list[tuple[str, tuple[int, ...]]] = []
        self.before: Callable[[str, list[Sequence]], None] = lambda kind, sequences: None

    def add(self, kind: str, sequences: list[Sequence]) -> None:
        numbers = tuple(len(s.request.prompt.ids) - len(ids(0)) for s in sequences)
        self.log.append((kind, numbers))
        self.before(kind, sequences)

    def sizes(self) -> list[int]:
        return [len(numbers) for kind, numbers in self.log if kind == "decode"]

    def begun(self) -> list[int]:
        """The numbers of the prompts that were read, in the order of their first chunks."""
        return list(dict.fromkeys(n for kind, some in self.log for n in some if kind == "prefill"))

    def decoded(self, number: int) -> int:
        counts = Counter(n for kind, numbers in self.log if kind == "decode" for n in numbers)
        return counts[number]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    found, prefill, decode = Steps(), ModelRunner.prefill, ModelRunner.decode

    def counted_prefill(self: ModelRunner, sequences: list[Sequence]) -> Any:
        running = [one for one in sequences if one.status is Status.RUNNING]
        found.add("prefill", [one for one in sequences if one not in running])
        if running:
            found.add("decode", running)
        return prefill(self, sequences)

    def counted_decode(self: ModelRunner, sequences: list[Sequence]) -> torch.Tensor:
        found.add("decode", sequences)
        logits: torch.Tensor = decode(self, sequences)
        return logits

    monkeypatch.setattr(ModelRunner, "prefill", counted_prefill)
    monkeypatch.setattr(ModelRunner, "decode", counted_decode)
    return found
