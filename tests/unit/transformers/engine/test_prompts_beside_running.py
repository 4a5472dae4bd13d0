"""Prompts are read in one pass over the weights with the sequences that are decoded beside them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from transformers import PreTrainedModel

from xinference_internvl2.transformers.engine import model_runner
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.model_runner import ModelRunner
from xinference_internvl2.transformers.engine.sequence import Sequence, Status

from .conftest import Steps, ids, run, started, tokens_of, until

TOKENS = 12


class Passes:
    """The passes over the weights: the positions of each sequence in them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[list[int]] = []
        forward = model_runner.language_model.forward

        def counted(model: Any, embeds: Any, chunks: list[range], *others: Any) -> Any:
            self.log.append([len(chunk) for chunk in chunks])
            return forward(model, embeds, chunks, *others)

        monkeypatch.setattr(model_runner.language_model, "forward", counted)


async def ask_beside(engine: AsyncEngine, steps: Steps, **prompt: Any) -> list[list[int]]:
    """The tokens of two prompts that come while another sequence is decoded."""
    first = asyncio.create_task(tokens_of(engine, 0, 9999))
    await until(lambda: steps.decoded(0) > 2)
    asked = (tokens_of(engine, number, TOKENS, **prompt) for number in (1, 2))
    found = await asyncio.gather(*asked)
    first.cancel()
    return found


def test_one_pass_reads_prompts_and_decodes(
    tiny: PreTrainedModel, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = Passes(monkeypatch)
    with started(tiny, prefix_cache_bytes=0) as engine:
        found = run(ask_beside(engine, steps))
        beside = [each for each in passes.log if max(each) > 1 and len(each) > 1]
        alone = [run(tokens_of(engine, number, TOKENS)) for number in (1, 2)]
    assert found == alone
    # The running sequence stands last, with one position; none waits for a pass of its own.
    assert {each[-1] for each in beside} == {1}
    assert sorted(count for each in beside for count in each[:-1] if count > 1) == [
        len(ids(1)),
        len(ids(2)),
    ]


def test_what_fails_together_is_computed_apart(
    tiny: PreTrainedModel,
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    prefill, failed = ModelRunner.prefill, []

    def fail(self: ModelRunner, sequences: list[Sequence]) -> Any:
        if any(one.status is Status.RUNNING for one in sequences):
            failed.append(len(sequences))
            raise MemoryError("out of memory")
        return prefill(self, sequences)

    monkeypatch.setattr(ModelRunner, "prefill", fail)
    with started(tiny, prefix_cache_bytes=0) as engine:
        found = run(ask_beside(engine, steps))
        alone = [run(tokens_of(engine, number, TOKENS)) for number in (1, 2)]
        assert found == alone
        assert failed
        assert "computed apart" in caplog.text


def test_prompts_of_another_adapter_are_read_apart(
    tiny: PreTrainedModel, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_runner, "use_adapter", lambda model, name: None)
    passes = Passes(monkeypatch)
    with started(tiny, prefix_cache_bytes=0) as engine:
        run(ask_beside(engine, steps, adapter="a"))
    assert not [each for each in passes.log if max(each) > 1 and each[-1] == 1]
