"""From tokens to responses, whatever the order in which an engine reports them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.chat.engine import Engine, detokenizers, tokens
from xinference_internvl2.chat.boxes import Picture
from xinference_internvl2.chat.chat_response import (
    build_render_response,
    build_response,
)
from xinference_internvl2.chat.detokenizer import Detokenizer
from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.chat.text_deltas import detokenize
from xinference_internvl2.engine_outputs import FinishOutput, PromptOutput, TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.tokenizer.tokenizer import (
    InternVL2Tokenizer,
    encode_segments,
)


def test_token_bytes_are_the_text(tokenizer: InternVL2Tokenizer) -> None:
    for text in ("The quick brown fox", "一只敏捷的棕色狐狸 🦊", "a\n\tb"):
        ids = tokenizer.encode(text, add_special_tokens=False)
        data = b"".join(tokenizer.token_bytes(i) for i in ids)
        assert data.decode().lstrip(" ") == text
    control = tokenizer.convert_tokens_to_ids("<img>")
    assert tokenizer.token_bytes(control) == b"<img>"


def test_a_response_has_logprobs_where_they_are_asked_for(tokenizer: InternVL2Tokenizer) -> None:
    (token,) = tokens(tokenizer, 0, "fox")[-1:]
    events = [
        TokenOutput(0, token.id, -0.5, ((token.id, -0.5), (7, float("-inf")))),
        FinishOutput(0, "stop"),
    ]

    def answered(logprobs: int | None) -> Any:
        sampling = SamplingParams(5, logprobs=logprobs)
        request = ChatRequest([1, 2, 3], [], sampling, [])
        parts = detokenize(Engine(events)(), detokenizers(tokenizer, 1), tokenizer)
        return asyncio.run(build_response("uid", request, parts))  # type: ignore[arg-type]

    assert answered(None)["choices"][0]["logprobs"] is None
    found = answered(2)
    (entry,) = found["choices"][0]["logprobs"]["content"]
    assert bytes(entry["bytes"]) == tokenizer.token_bytes(token.id)
    assert entry["logprob"] == -0.5
    assert [other["logprob"] for other in entry["top_logprobs"]] == [-0.5, -9999.0]
    assert found["usage"] == {
        **{"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def test_every_chunk_has_the_usage_so_far_where_it_is_asked_for(
    tokenizer: InternVL2Tokenizer,
) -> None:
    request = ChatRequest(
        [1, 2],
        [],
        SamplingParams(5),
        [],
        stream=True,
        include_usage=True,
        continuous_usage=True,
    )
    words = tokens(tokenizer, 0, "The quick brown fox")
    events = [PromptOutput(1), *words, FinishOutput(0, "stop")]

    async def chunks() -> list[Any]:
        parts = detokenize(Engine(events)(), detokenizers(tokenizer, 1), tokenizer)
        return [chunk async for chunk in await build_response("uid", request, parts)]

    first, *texts, end, last = asyncio.run(chunks())
    assert first["usage"]["completion_tokens"] == 0
    counts = [chunk["usage"]["completion_tokens"] for chunk in texts]
    assert counts == sorted(set(counts))
    assert counts[-1] == len(words)
    assert end["usage"] == last["usage"] == {**last["usage"], "prompt_tokens": 2}
    assert last["usage"]["prompt_tokens_details"] == {"cached_tokens": 1}
    assert last["choices"] == []


GROUNDED = "<ref>circle</ref><box>[[0, 500, 250, 1000]]</box> STOP"
BOX = {
    "label": "circle",
    "kind": "box",
    "picture": "Image-1",
    "coordinates": [0, 500, 250, 1000],
    "pixels": [0, 100, 100, 200],
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stop", [(), ("STOP",)])
def test_an_answer_has_its_boxes_where_they_are_asked_for(
    tokenizer: InternVL2Tokenizer, stream: bool, stop: tuple[str, ...]
) -> None:
    start = len(tokenizer.encode(""))
    ids = encode_segments(tokenizer, [("A ", False), (GROUNDED, True)])[start:]
    events = [*[TokenOutput(0, i) for i in ids], FinishOutput(0, "stop")]

    async def answered(pictures: list[Picture] | None) -> list[Any]:
        request = ChatRequest([1], [], SamplingParams(5), [], stream=stream, pictures=pictures)
        parts = detokenize(Engine(events)(), detokenizers(tokenizer, 1, stop), tokenizer, pictures)
        found: Any = await build_response("uid", request, parts)
        return [chunk async for chunk in found] if stream else [found]

    *chunks, last = asyncio.run(answered([Picture("Image-1", 400, 200)]))
    part = "delta" if stream else "message"
    assert last["choices"][0][part]["boxes"] == [BOX]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert not any("boxes" in chunk["choices"][0][part] for chunk in chunks)
    texts = [chunk["choices"][0][part].get("content", "") for chunk in (*chunks, last)]
    assert "<" not in "".join(texts)
    assert not any("boxes" in str(chunk) for chunk in asyncio.run(answered(None)))
    # None is another thing than not asked for.
    events[:-1] = tokens(tokenizer, 0, "nothing")
    assert asyncio.run(answered([]))[-1]["choices"][0][part]["boxes"] == []


def test_a_prompt_is_rendered_in_place_of_an_answer() -> None:
    request = ChatRequest([1, 2], [], SamplingParams(5), [], text="<|im_start|>", render=True)
    found = build_render_response("uid", request)
    assert (found["prompt"], found["prompt_token_ids"]) == ("<|im_start|>", [1, 2])
    assert (found["usage"]["prompt_tokens"], found["usage"]["completion_tokens"]) == (2, 0)
    (choice,) = found["choices"]
    assert (choice["index"], choice["message"]["content"]) == (0, "")


@pytest.mark.parametrize("skip", [True, False])
def test_what_ended_an_answer_stays_where_it_is_asked_for(
    tokenizer: InternVL2Tokenizer, skip: bool
) -> None:
    """A stop string, or the token of a request; the token that ends a turn never is."""
    words = [token.id for token in tokens(tokenizer, 0, "The quick brown fox")]
    mark = tokenizer.convert_tokens_to_ids("</box>")
    end = tokenizer.convert_tokens_to_ids("<img>")

    def answered(stop: tuple[str, ...], ended_by: int | None) -> str:
        options: Any = {"skip_special_tokens": skip, "hidden": [end], "include_stop": True}
        detokenizer = Detokenizer(tokenizer, stop, **options)
        texts = []
        for word in words:
            texts.append(detokenizer.add(word))
            if detokenizer.stopped:
                break
        return "".join(texts) + detokenizer.finish(ended_by)

    assert answered(("ick b",), None) == "The quick b"
    assert answered((), words[-1]).startswith("The quick brown fox")
    assert answered((), words[-1]) != "The quick brown fox"
    assert answered((), mark) == "The quick brown fox" + ("" if skip else "</box>")
    assert answered((), end) == "The quick brown fox"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("stop", "times", "why"), [((), 3, "repetition_detected"), (("dog",), 1, None)]
)
def test_it_is_told_that_an_answer_repeated_itself(
    tokenizer: InternVL2Tokenizer, stream: bool, stop: tuple[str, ...], times: int, why: str | None
) -> None:
    """A stop string that ends with the same token is the reason."""
    again = tokens(tokenizer, 0, "The lazy dog")
    engine = Engine([*again * 50, FinishOutput(0, "length")])
    request = ChatRequest([1], [], SamplingParams(500), [], stream=stream)

    async def last_choice() -> Any:
        parts = detokenize(
            engine(), detokenizers(tokenizer, 1, stop), tokenizer, repetition=(len(again), times)
        )
        found: Any = await build_response("uid", request, parts)
        last = [chunk async for chunk in found][-1] if stream else found
        return last["choices"][0]

    choice = asyncio.run(last_choice())
    assert choice["finish_reason"] == "stop"
    assert choice.get("stop_reason") == why
