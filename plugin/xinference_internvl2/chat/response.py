"""Builds the response of OpenAI's chat protocol from the outputs of an engine."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ..engine import FinishOutput, FinishReason, Outputs, TokenOutput
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .detokenizer import Detokenizer
from .request import ChatRequest

Json = dict[str, Any]
MIN_LOGPROB = -9999.0
"""Stands for minus infinity, which JSON does not have."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The text and tokens that answer number `choice` grows by; its last delta has a
    `finish_reason`."""

    choice: int
    text: str
    logprobs: list[Json] = field(default_factory=list)
    tokens: int = 0
    finish_reason: FinishReason | None = None


async def detokenize(
    outputs: Outputs, detokenizers: Iterable[Detokenizer], tokenizer: InternVL2Tokenizer
) -> AsyncGenerator[TextDelta, None]:
    """Yield the text of the answers as it comes; the first detokenizer is that of choice 0.

    `outputs` is closed as soon as all answers are complete, or with this generator.
    """
    running = dict(enumerate(detokenizers))
    async with aclosing(outputs):
        async for output in outputs:
            detokenizer = running.get(output.choice)
            if detokenizer is None:
                continue
            if isinstance(output, TokenOutput):
                text = detokenizer.add(output.id)
                yield TextDelta(output.choice, text, _logprobs(output, tokenizer), tokens=1)
                reason: FinishReason = "stop"
            else:
                text = detokenizer.finish()
                reason = "stop" if detokenizer.stopped else output.reason
                yield TextDelta(output.choice, text)
            if detokenizer.stopped or isinstance(output, FinishOutput):
                yield TextDelta(output.choice, "", finish_reason=reason)
                del running[output.choice]
            if not running:
                break


def _logprobs(token: TokenOutput, tokenizer: InternVL2Tokenizer) -> list[Json]:
    if token.logprob is None:
        return []
    chosen = _logprob(token.id, token.logprob, tokenizer)
    return [{**chosen, "top_logprobs": [_logprob(*entry, tokenizer) for entry in token.top]}]


def _logprob(token: int, logprob: float, tokenizer: InternVL2Tokenizer) -> Json:
    data = tokenizer.token_bytes(token)
    return {
        "token": data.decode("utf-8", "replace"),
        "logprob": max(logprob, MIN_LOGPROB),
        "bytes": list(data),
    }


async def build_response(
    model_uid: str, request: ChatRequest, deltas: AsyncGenerator[TextDelta, None]
) -> Json | AsyncGenerator[Json, None]:
    """Return the completion once all answers are complete, or its chunks if `stream` is set."""
    if request.stream:
        return _stream_chunks(model_uid, request, deltas)
    return await _build_completion(model_uid, request, deltas)


async def _build_completion(
    model_uid: str, request: ChatRequest, deltas: AsyncIterator[TextDelta]
) -> Json:
    choices = [_Choice() for _ in range(request.sampling.n)]
    async for delta in deltas:
        choices[delta.choice].add(delta)
    logprobs = request.sampling.logprobs is not None
    return {
        **_head(model_uid, "chat.completion"),
        "choices": [choice.to_json(index, logprobs) for index, choice in enumerate(choices)],
        "usage": _usage(len(request.ids), sum(choice.tokens for choice in choices)),
    }


@dataclass(slots=True)
class _Choice:
    """One answer of a completion, while its deltas are gathered."""

    text: str = ""
    tokens: int = 0
    logprobs: list[Json] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def add(self, delta: TextDelta) -> None:
        self.text += delta.text
        self.tokens += delta.tokens
        self.logprobs += delta.logprobs
        self.finish_reason = delta.finish_reason or self.finish_reason

    def to_json(self, index: int, logprobs: bool) -> Json:
        return {
            "index": index,
            "message": {"role": "assistant", "content": self.text},
            "logprobs": {"content": self.logprobs, "refusal": None} if logprobs else None,
            "finish_reason": self.finish_reason,
        }


async def _stream_chunks(
    model_uid: str, request: ChatRequest, deltas: AsyncGenerator[TextDelta, None]
) -> AsyncGenerator[Json, None]:
    """Yield the chunks of all answers, and at last the usage if the request asks for it."""
    head = _head(model_uid, "chat.completion.chunk")
    usage = _usage(len(request.ids), 0)
    for index in range(request.sampling.n):
        yield _chunk(head, index, {"role": "assistant", "content": ""})
    async with aclosing(deltas):
        async for delta in deltas:
            usage = _usage(len(request.ids), usage["completion_tokens"] + delta.tokens)
            if request.continuous_usage:
                head = {**head, "usage": usage}
            if delta.text or delta.logprobs:
                yield _chunk(head, delta.choice, {"content": delta.text}, delta.logprobs)
            if delta.finish_reason:
                yield _chunk(head, delta.choice, {}, finish_reason=delta.finish_reason)
    if request.include_usage:
        yield {**head, "choices": [], "usage": usage}


def _chunk(
    head: Json,
    index: int,
    delta: Json,
    logprobs: list[Json] | None = None,
    finish_reason: FinishReason | None = None,
) -> Json:
    choice: Json = {"index": index, "delta": delta, "finish_reason": finish_reason}
    if logprobs:
        choice["logprobs"] = {"content": logprobs, "refusal": None}
    return {**head, "choices": [choice]}


def _head(model_uid: str, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{uuid.uuid4()}",
        "object": kind,
        "created": int(time.time()),
        "model": model_uid,
    }


def _usage(prompt_tokens: int, completion_tokens: int) -> Json:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
