"""Answers that are waited for as a whole: aborted by name, and left by their client."""

from __future__ import annotations

import asyncio

import pytest

from xinference_internvl2.vllm.partial_answer_on_abort import AbortShield


@pytest.mark.parametrize("aborted", [True, False])
def test_who_waits_has_the_answer_after_an_abort_alone(aborted: bool) -> None:
    async def scenario() -> None:
        answers, go, ended = AbortShield(), asyncio.Event(), list[str]()

        async def work() -> str:
            try:
                await go.wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
            return "half an answer"

        waiting = asyncio.create_task(answers.run("mine", work()))
        await asyncio.sleep(0.01)
        # As the host does it.
        waiting.cancel()
        answers.abort("mine" if aborted else "another's")
        await asyncio.sleep(0.01)
        go.set()
        if aborted:
            assert await waiting == "half an answer"
        else:
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert ended == ([] if aborted else ["cancelled"])
        answers.abort("mine")

    asyncio.run(scenario())
