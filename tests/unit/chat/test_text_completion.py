"""Completions: the logprobs of a text in OpenAI's older form, and the number that asks for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from xinference_internvl2.chat import thread_pools
from xinference_internvl2.chat.option_table import MAX_TOP_LOGPROBS
from xinference_internvl2.chat.pending_requests import PendingRequests
from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.chat.served_checkpoint import ServedCheckpoint
from xinference_internvl2.chat.text_completion import complete
from xinference_internvl2.engine_outputs import FinishOutput, TokenOutput
from xinference_internvl2.errors import RequestError


def ask(model: ServedCheckpoint, stream: bool = False, **options: Any) -> list[Any]:
    """Return the response, or its chunks, of an engine that writes `The fox`."""
    ids = model.tokenizer.encode("The fox", add_special_tokens=False)

    async def write() -> AsyncGenerator[TokenOutput | FinishOutput, None]:
        for index in ids:
            yield TokenOutput(0, index, -0.5, ((index, -0.5), (7, -1.5)))
        yield FinishOutput(0, "stop")

    async def generate(_: ChatRequest) -> AsyncGenerator[TokenOutput | FinishOutput, None]:
        return write()

    async def answered() -> list[Any]:
        found: Any = await complete("uid", "Once", {"stream": stream, **options}, model, generate)
        return [chunk async for chunk in found] if stream else [found]

    return asyncio.run(answered())


def test_logprobs_are_lists_of_the_whole_text(model: ServedCheckpoint) -> None:
    (plain,) = ask(model)
    assert plain["choices"][0]["logprobs"] is None
    (found,) = ask(model, logprobs=2)
    (choice,) = found["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    lists = choice["logprobs"]
    tokens = lists["tokens"]
    assert "".join(tokens).strip() == choice["text"].strip() == "The fox"
    assert lists["token_logprobs"] == [-0.5] * len(tokens)
    assert [top[token] for top, token in zip(lists["top_logprobs"], tokens, strict=True)] == [
        -0.5
    ] * len(tokens)
    assert lists["text_offset"] == [len("".join(tokens[:index])) for index in range(len(tokens))]


def test_the_chunks_of_a_stream_have_the_same_lists(model: ServedCheckpoint) -> None:
    (whole,) = ask(model, logprobs=1)
    accepted, *parts = ask(model, stream=True, logprobs=1)
    assert accepted["choices"][0] == {
        **{"index": 0, "text": "", "logprobs": None, "finish_reason": None}
    }
    for name, values in whole["choices"][0]["logprobs"].items():
        found = [part["choices"][0]["logprobs"][name] for part in parts]
        assert [value for part in found for value in part] == values
    assert parts[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("count", [0, MAX_TOP_LOGPROBS])
def test_as_many_logprobs_as_may_be(model: ServedCheckpoint, count: int) -> None:
    assert ask(model, logprobs=count)[0]["choices"][0]["logprobs"]["tokens"]


@pytest.mark.parametrize("count", [-1, MAX_TOP_LOGPROBS + 1])
def test_one_beyond_is_refused(model: ServedCheckpoint, count: int) -> None:
    with pytest.raises(RequestError, match=f"logprobs {count} is not a whole number from 0 to"):
        ask(model, logprobs=count)


def test_a_prompt_is_a_text_that_is_not_empty(model: ServedCheckpoint) -> None:
    for prompt in ("", 3):
        with pytest.raises(RequestError, match="prompt has to be a string that is not empty"):
            asyncio.run(complete("uid", prompt, {}, model, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", [False, True])
def test_the_stop_string_that_ended_a_text_is_named(model: ServedCheckpoint, stream: bool) -> None:
    last = ask(model, stream, stop=["dog", " fox"])[-1]["choices"][0]
    assert (last["finish_reason"], last["stop_sequence"]) == ("stop", " fox")
    plain = ask(model, stream, stop=["dog"])[-1]["choices"][0]
    assert (plain["finish_reason"], "stop_sequence" in plain) == ("stop", False)


@pytest.mark.parametrize("busy", [True, False], ids=["prepared", "handed over"])
def test_a_text_can_be_aborted_before_the_engine_has_it(
    model: ServedCheckpoint, busy: bool
) -> None:
    """It waits for a thread that prepares, as chats without pictures do, or for its grammar."""
    go, given = threading.Event(), asyncio.Event()
    threads = thread_pools._PREPARE_THREADS
    holding = [threads.submit(go.wait, 30) for _ in range(threads._max_workers if busy else 0)]

    async def generate(_: ChatRequest) -> Any:
        given.set()
        await asyncio.sleep(30)

    async def scenario() -> None:
        served = replace(model, pending=PendingRequests())
        work = complete("uid", "Once", {"request_id": "mine"}, served, generate)
        asked = asyncio.create_task(work)
        await (asyncio.sleep(0.1) if busy else asyncio.wait_for(given.wait(), 30))
        assert not served.pending.abort("nobody's")
        assert served.pending.abort("mine")
        with pytest.raises(RequestError) as caught:
            await asked
        sentence = "request_id mine: the request was aborted before its answer began"
        assert str(caught.value) == sentence
        assert not (busy and given.is_set())

    try:
        asyncio.run(scenario())
    finally:
        go.set()
    assert all(held.result(30) for held in holding)
