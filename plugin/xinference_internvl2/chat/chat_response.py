"""Builds the response of OpenAI's chat protocol, or its chunks, from the text of the answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from .logprobs import Json
from .request import ChatRequest
from .stop_reason import Ending, format_ending
from .text_deltas import TextDelta
from .usage import Usage


async def build_response(
    model_uid: str, request: ChatRequest, deltas: AsyncGenerator[TextDelta, None]
) -> Json | AsyncGenerator[Json, None]:
    """Return the completion once all answers are complete, or its chunks if `stream` is set."""
    if request.stream:
        return _stream_chunks(model_uid, request, deltas)
    return await _build_completion(model_uid, request, deltas)


async def _build_completion(
    model_uid: str, request: ChatRequest, deltas: AsyncGenerator[TextDelta, None]
) -> Json:
    choices = [_Choice() for _ in range(request.sampling.n)]
    usage = Usage.of(request)
    async for delta in deltas:
        usage.add(delta.tokens, delta.cached_tokens)
        choices[delta.choice].add(delta)
    logprobs = request.sampling.logprobs is not None
    return {
        **build_head(model_uid, "chatcmpl", "chat.completion"),
        "choices": [choice.to_json(index, logprobs) for index, choice in enumerate(choices)],
        "usage": usage.to_json(),
    }


@dataclass(slots=True)
class _Choice:
    """One answer of a completion, as the sum of its deltas."""

    text: str = ""
    logprobs: list[Json] = field(default_factory=list)
    ending: Ending | None = None
    boxes: list[Json] | None = None

    def add(self, delta: TextDelta) -> None:
        self.text += delta.text
        self.logprobs += delta.logprobs
        self.ending = delta.ending or self.ending
        self.boxes = self.boxes if delta.boxes is None else delta.boxes

    def to_json(self, index: int, logprobs: bool) -> Json:
        return {
            "index": index,
            "message": {"role": "assistant", "content": self.text, **_format_boxes(self.boxes)},
            "logprobs": {"content": self.logprobs, "refusal": None} if logprobs else None,
            **format_ending(self.ending),
        }


async def _stream_chunks(
    model_uid: str, request: ChatRequest, deltas: AsyncGenerator[TextDelta, None]
) -> AsyncGenerator[Json, None]:
    """Yield the chunks of all answers, and finally the usage if the request asks for it."""
    start = build_head(model_uid, "chatcmpl", "chat.completion.chunk")
    usage = Usage.of(request)
    if request.continuous_usage:
        start["usage"] = usage.to_json()
    for index in range(request.sampling.n):
        yield _build_chunk(start, index, {"role": "assistant", "content": ""})
    async with aclosing(deltas):
        async for delta in deltas:
            usage.add(delta.tokens, delta.cached_tokens)
            if request.continuous_usage:
                start = {**start, "usage": usage.to_json()}
            if delta.text or delta.logprobs:
                yield _build_chunk(start, delta.choice, {"content": delta.text}, delta.logprobs)
            if delta.ending:
                boxes = _format_boxes(delta.boxes)
                yield _build_chunk(start, delta.choice, boxes, ending=delta.ending)
    if request.include_usage:
        yield {**start, "choices": [], "usage": usage.to_json()}


def _format_boxes(boxes: list[Json] | None) -> Json:
    return {} if boxes is None else {"boxes": boxes}


def build_render_response(model_uid: str, request: ChatRequest) -> Json:
    """Return the response to a request with `render`: the prompt, and an empty answer."""
    return {
        **build_head(model_uid, "chatcmpl", "chat.completion"),
        "choices": [_Choice(ending=Ending("stop")).to_json(0, logprobs=False)],
        "prompt": request.text,
        "prompt_token_ids": request.ids,
        "usage": Usage.of(request).to_json(),
    }


def _build_chunk(
    start: Json,
    index: int,
    delta: Json,
    logprobs: list[Json] | None = None,
    ending: Ending | None = None,
) -> Json:
    choice: Json = {"index": index, "delta": delta, **format_ending(ending)}
    if logprobs:
        choice["logprobs"] = {"content": logprobs, "refusal": None}
    return {**start, "choices": [choice]}


def build_head(model_uid: str, prefix: str, kind: str) -> Json:
    """Return the fields that every response begins with.

    Args:
        prefix: of its id.
        kind: its `object`.
    """
    return {
        "id": f"{prefix}-{uuid.uuid4()}",
        "object": kind,
        "created": int(time.time()),
        "model": model_uid,
    }
