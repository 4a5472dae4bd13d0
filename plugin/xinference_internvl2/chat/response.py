"""From the tokens of an engine to the responses of OpenAI's chat protocol, for every engine."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ..engine import FinishOutput, FinishReason, Outputs, TokenOutput
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .detokenizer import TextStream
from .request import ChatRequest

Json = dict[str, Any]
LEAST_LOGPROB = -9999.0


@dataclass(frozen=True, slots=True)
class Delta:
    """What one token adds to answer number `choice`; the last one has the reason of its end."""

    choice: int
    text: str
    logprobs: list[Json] = field(default_factory=list)
    tokens: int = 0
    finish_reason: FinishReason | None = None


async def deltas(
    events: Outputs,
    choices: Iterable[int],
    tokenizer: InternVL2Tokenizer,
    stop: tuple[str, ...],
) -> AsyncGenerator[Delta, None]:
    """The answers `choices` as they come, each cut before the first of the strings `stop`.

    `events` is closed as soon as all of them are complete, and if this iterator is closed.
    """
    texts = {choice: TextStream(tokenizer, stop) for choice in choices}
    async with aclosing(events):
        async for event in events:
            text = texts.get(event.choice)
            if text is None:
                continue
            if isinstance(event, TokenOutput):
                part = text.push(event.id)
                yield Delta(event.choice, part, _logprobs(event, tokenizer), 1)
                reason: FinishReason = "stop"
            else:
                part = text.finish()
                reason = "stop" if text.done else event.reason
                yield Delta(event.choice, part)
            if text.done or isinstance(event, FinishOutput):
                yield Delta(event.choice, "", finish_reason=reason)
                del texts[event.choice]
            if not texts:
                break


def _logprobs(token: TokenOutput, tokenizer: InternVL2Tokenizer) -> list[Json]:
    if token.logprob is None:
        return []
    chosen = _logprob(token.id, token.logprob, tokenizer)
    return [{**chosen, "top_logprobs": [_logprob(*entry, tokenizer) for entry in token.top]}]


def _logprob(token: int, logprob: float, tokenizer: InternVL2Tokenizer) -> Json:
    data = tokenizer.token_bytes(token)
    # JSON has no minus infinity, which a token that cannot be chosen has.
    return {
        "token": data.decode("utf-8", "replace"),
        "logprob": max(logprob, LEAST_LOGPROB),
        "bytes": list(data),
    }


async def response(
    model_uid: str, request: ChatRequest, parts: AsyncGenerator[Delta, None]
) -> Json | AsyncGenerator[Json, None]:
    """What the host sends to the client: the whole response, or its chunks if `stream` is set."""
    if request.stream:
        return _chunks(model_uid, request, parts)
    return await _completion(model_uid, request, parts)


async def _completion(model_uid: str, request: ChatRequest, parts: AsyncIterator[Delta]) -> Json:
    """With `n` answers it has `n` choices."""
    choices = [_Choice() for _ in range(request.sampling.n)]
    async for part in parts:
        choices[part.choice].add(part)
    logprobs = request.sampling.logprobs is not None
    return {
        **_head(model_uid, "chat.completion"),
        "choices": [choice.response(index, logprobs) for index, choice in enumerate(choices)],
        "usage": _usage(len(request.ids), sum(choice.tokens for choice in choices)),
    }


@dataclass(slots=True)
class _Choice:
    text: str = ""
    tokens: int = 0
    logprobs: list[Json] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def add(self, part: Delta) -> None:
        self.text += part.text
        self.tokens += part.tokens
        self.logprobs += part.logprobs
        self.finish_reason = part.finish_reason or self.finish_reason

    def response(self, index: int, logprobs: bool) -> Json:
        return {
            "index": index,
            "message": {"role": "assistant", "content": self.text},
            "logprobs": {"content": self.logprobs, "refusal": None} if logprobs else None,
            "finish_reason": self.finish_reason,
        }


async def _chunks(
    model_uid: str, request: ChatRequest, parts: AsyncGenerator[Delta, None]
) -> AsyncGenerator[Json, None]:
    """The response in chunks; the usage is a last one of its own, if it is asked for."""
    head = _head(model_uid, "chat.completion.chunk")
    for index in range(request.sampling.n):
        yield _chunk(head, index, {"role": "assistant", "content": ""})
    tokens = 0
    async with aclosing(parts):
        async for part in parts:
            tokens += part.tokens
            if part.text or part.logprobs:
                yield _chunk(head, part.choice, {"content": part.text}, part.logprobs)
            if part.finish_reason:
                yield _chunk(head, part.choice, {}, finish_reason=part.finish_reason)
    if request.include_usage:
        yield {**head, "choices": [], "usage": _usage(len(request.ids), tokens)}


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
