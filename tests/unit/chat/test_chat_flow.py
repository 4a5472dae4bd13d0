"""The flow of a request: what it holds of the budget, and until when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.chat.media import draw_picture, image, image_uri, user
from xinference_internvl2.chat import prepare_within_budget
from xinference_internvl2.chat.chat_flow import answer
from xinference_internvl2.chat.count_tokens import count_tokens
from xinference_internvl2.chat.pending_requests import PendingRequests
from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.chat.served_checkpoint import ServedCheckpoint
from xinference_internvl2.chat.thread_pools import decode_on_thread
from xinference_internvl2.engine_outputs import FinishOutput, TokenOutput
from xinference_internvl2.errors import OverloadedError, RequestError
from xinference_internvl2.media.data_url import read_inline
from xinference_internvl2.media.decoder_memory import BYTES_PER_PIXEL
from xinference_internvl2.media.image_decoder_pool import choose_decoders
from xinference_internvl2.media.memory_budget import Budget

WIDE = image_uri(draw_picture(640, 320))
TILES = 9
"""Eight and the thumbnail, of 112 × 112 pixels."""
BYTES = TILES * 3 * 112**2 + len(read_inline(WIDE) or b"")
ASK = [user([image(WIDE)])]


class Engine:
    """Answers with one token when it is let go; `seen` has the requests that it has begun."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.seen, self.go = budget, list[ChatRequest](), asyncio.Event()
        self.held: list[int] = []

    async def generate(self, request: ChatRequest) -> Any:
        self.seen.append(request)
        return self._outputs()

    async def _outputs(self) -> AsyncGenerator[TokenOutput | FinishOutput, None]:
        await self.go.wait()
        yield TokenOutput(0, 1)
        self.held.append(self.budget.tiles.total - self.budget.tiles.free)
        yield FinishOutput(0, "stop")


async def ask(served: ServedCheckpoint, engine: Engine, stream: bool = False) -> Any:
    return await answer("uid", ASK, {"stream": stream}, served, engine.generate)


def test_the_engine_gets_tiles_and_files_are_let_go(model: ServedCheckpoint) -> None:
    async def scenario() -> None:
        served = replace(model, budget=Budget(2 * BYTES))
        engine = Engine(served.budget)
        asked = asyncio.create_task(ask(served, engine))
        while not engine.seen:
            await asyncio.sleep(0.01)
        (request,) = engine.seen
        assert [each.shape for each in request.tiles] == [(TILES, 3, 112, 112)]
        assert request.media == []
        assert (served.budget.files.free, served.budget.tiles.free) == (BYTES // 2, 0)
        engine.go.set()
        await asked
        assert engine.held == [0]

    asyncio.run(scenario())


def test_a_decoder_counts_as_long_as_it_decodes(
    model: ServedCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, held = replace(model, budget=Budget(1 << 30)), list[int]()
    pool = served.budget.tiles

    async def recorded(request: ChatRequest) -> Any:
        held.append(pool.total - pool.free)
        return await decode_on_thread(request)

    async def scenario() -> None:
        engine = Engine(served.budget)
        asked = asyncio.create_task(ask(served, engine))
        while not engine.seen:
            await asyncio.sleep(0.01)
        assert held == [BYTES + 640 * 320 * BYTES_PER_PIXEL]
        assert pool.free == pool.total - BYTES
        engine.go.set()
        await asked
        assert pool.free == pool.total

    monkeypatch.setattr(prepare_within_budget, "decode_on_thread", recorded)
    asyncio.run(scenario())


def test_what_does_not_fit_waits_undecoded(model: ServedCheckpoint) -> None:
    async def scenario() -> None:
        served = replace(model, budget=Budget(2 * BYTES + 2, waiting=1))
        engine = Engine(served.budget)
        asked = [asyncio.create_task(ask(served, engine)) for _ in range(2)]
        while not (engine.seen and served.budget.tiles.queue):
            await asyncio.sleep(0.01)
        with pytest.raises(OverloadedError, match="1 requests wait for memory"):
            await ask(served, engine)
        assert len(engine.seen) == 1
        engine.go.set()
        await asyncio.gather(*asked)
        assert len(engine.seen) == 2
        assert served.budget.files.free == served.budget.files.total

    asyncio.run(scenario())


def test_a_refused_request_and_one_that_is_never_read_hold_nothing(model: ServedCheckpoint) -> None:
    async def scenario() -> None:
        served = replace(model, budget=Budget(2 * BYTES))
        engine = Engine(served.budget)
        with pytest.raises(RequestError):
            await answer("uid", [*ASK, user([image("data:,x")])], {}, served, engine.generate)
        stream = await ask(served, engine, stream=True)
        await stream.aclose()
        del stream
        assert await count_tokens(ASK, {}, served) > 0
        assert (served.budget.files.free, served.budget.tiles.free) == (BYTES // 2, BYTES)

    asyncio.run(scenario())


def test_more_than_there_ever_is_is_refused(model: ServedCheckpoint) -> None:
    served = replace(model, budget=Budget(2 * BYTES - 2))
    with pytest.raises(RequestError, match=r"launch the model with a larger --media_memory"):
        asyncio.run(answer("uid", ASK, {}, served, Engine(served.budget).generate))


def test_a_text_does_not_wait_for_somebody_elses_pictures(model: ServedCheckpoint) -> None:
    async def scenario() -> None:
        engine = Engine(Budget(1 << 30))
        engine.go.set()
        served, turns = replace(model, budget=engine.budget), choose_decoders(0)._turns
        with turns, turns:
            waiting = [asyncio.create_task(ask(served, engine)) for _ in range(40)]
            while len(turns._queue) < 40:
                await asyncio.sleep(0.01)
            await answer("uid", [user("Hi")], {}, served, engine.generate)
            assert len(engine.seen) == 1
        await asyncio.gather(*waiting)
        assert len(engine.seen) == 41

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_nobody_waits_for_somebody_elses_image_server(model: ServedCheckpoint) -> None:
    go = threading.Event()

    def slow(url: str, deadline: float) -> bytes:
        go.wait(30)
        raise ValueError("gone")

    async def scenario() -> None:
        served = replace(model, fetch=slow, budget=Budget(1 << 30))
        engine = Engine(served.budget)
        engine.go.set()
        there = [user([image("http://slow.example/x.png")])]
        waiting = [
            asyncio.create_task(answer("uid", there, {}, served, engine.generate))
            for _ in range(40)
        ]
        await asyncio.wait_for(ask(served, engine), 20)
        assert not any(task.done() for task in waiting)
        go.set()
        assert all(
            isinstance(error, RequestError)
            for error in await asyncio.gather(*waiting, return_exceptions=True)
        )

    asyncio.run(scenario())


def test_a_request_can_be_aborted_before_the_engine_has_it(model: ServedCheckpoint) -> None:
    """It waits for memory that another one holds. One whose client leaves is not aborted."""

    async def scenario() -> None:
        served = replace(model, budget=Budget(2 * BYTES + 2), pending=PendingRequests())
        engine = Engine(served.budget)
        first = asyncio.create_task(ask(served, engine))
        while not engine.seen:
            await asyncio.sleep(0.01)
        mine, leaving = (
            asyncio.create_task(answer("uid", ASK, {"request_id": name}, served, engine.generate))
            for name in ("mine", "another's")
        )
        while len(served.budget.tiles.queue) < 2:
            await asyncio.sleep(0.01)
        assert not served.pending.abort("nobody's")
        assert served.pending.abort("mine")
        with pytest.raises(RequestError) as caught:
            await mine
        sentence = "request_id mine: the request was aborted before its answer began"
        assert str(caught.value) == sentence
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        engine.go.set()
        await first
        assert len(engine.seen) == 1
        assert not served.pending.abort("mine")
        assert served.budget.tiles.free == served.budget.tiles.total

    asyncio.run(scenario())
