"""Chat through the server: streams, stops, seeds, and several clients at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import Served, image_message

from .conftest import AT_ONCE

pytestmark = pytest.mark.e2e

ABORT_SECONDS = 60
TEXT = {"role": "user", "content": "Describe the weather, 请用中文。"}


def joined(stream: Any) -> tuple[str, list[Any]]:
    chunks = list(stream)
    texts = (chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return "".join(texts), chunks


def test_a_stream_is_the_same_answer_in_parts(served: Served, picture_uri: str) -> None:
    message = image_message("What is it?", picture_uri)
    whole = served.chat(message)
    text, chunks = joined(served.chat(message, stream=True, stream_options={"include_usage": True}))
    assert text == whole.choices[0].message.content
    assert len(chunks) > 4
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_stop_ends_the_answer_before_itself(served: Served) -> None:
    whole = served.chat(TEXT).choices[0].message.content
    stop = whole[3:6]
    for stream in (False, True):
        answer = served.chat(TEXT, stop=[stop, "never there"], stream=stream)
        text = joined(answer)[0] if stream else answer.choices[0].message.content
        assert text == whole[: whole.index(stop)]
    assert served.chat(TEXT, stop=stop).choices[0].finish_reason == "stop"


def test_a_seed_repeats_an_answer(served: Served) -> None:
    def sample(seed: int) -> str:
        answer = served.chat(TEXT, temperature=1.0, top_p=0.95, seed=seed)
        return str(answer.choices[0].message.content)

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(4)}) > 1


def test_simultaneous_requests_get_their_own_answers(served: Served) -> None:
    questions = [{"role": "user", "content": f"Question {number}"} for number in range(AT_ONCE)]
    alone = [served.chat(question).choices[0].message.content for question in questions]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        together = list(pool.map(served.chat, questions))
    assert [answer.choices[0].message.content for answer in together] == alone
    assert len(set(alone)) > 1


def aborts(served: Served) -> int:
    """How often vLLM has been told to give a request up."""
    return served.host.log.read_text().count("Aborted vLLM request")


def test_clients_that_leave_free_their_places(served: Served) -> None:
    """Or the next request would wait for one of them to reach its end. Of vLLM, that is only true
    of the last; but it says of each that it gives it up, and of no request that is complete."""
    given_up = aborts(served)
    streams = [served.chat(TEXT, stream=True, max_tokens=20000) for _ in range(AT_ONCE)]
    for stream in streams:
        next(iter(stream))
        stream.close()
    start = time.monotonic()
    served.chat(TEXT, max_tokens=2)
    waited = time.monotonic() - start
    served.chat(TEXT, max_tokens=100)
    for_100_tokens = time.monotonic() - start - waited
    assert waited < for_100_tokens * 50
    expected = given_up + AT_ONCE if served.uid == "vllm" else 0
    while aborts(served) < expected and time.monotonic() < start + ABORT_SECONDS:
        time.sleep(0.5)
    assert aborts(served) == expected


def test_code_in_the_checkpoint_never_runs(served: Served, marker: Path) -> None:
    served.chat(TEXT, max_tokens=1)
    assert (served.checkpoint / "modeling_internvl_chat.py").exists()
    assert not marker.exists()


def test_a_long_answer_is_whole(served: Served) -> None:
    """On Transformers its reader has to ask for more of it in between."""
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda count: served.chat(TEXT, max_tokens=count), (300, 256)))
    long, shorter = (answer.choices[0] for answer in answers)
    assert [answer.usage.completion_tokens for answer in answers] == [300, 256]
    assert (long.finish_reason, shorter.finish_reason) == ("length", "length")
    assert long.message.content.startswith(shorter.message.content.rstrip("\ufffd"))
