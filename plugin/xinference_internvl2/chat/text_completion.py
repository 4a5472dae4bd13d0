"""The flow of OpenAI's completions: a raw text is continued, without a chat's format.

Control tokens in the text are read as such, for clients that bring a format of their own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..engine_outputs import Outputs
from ..errors import RequestError
from ..tokenizer.image_tokens import REQUIRED
from .chat_flow import Generate
from .chat_response import build_head
from .logprobs import Json, to_logprob_lists
from .option_table import MAX_TOP_LOGPROBS
from .option_value_types import Whole
from .prepare import build_request
from .read_options import merge_fields, read_options
from .request import ChatRequest
from .request_size import MediaSize, check_text
from .served_checkpoint import ServedCheckpoint
from .stop_reason import Ending, format_ending
from .text_deltas import TextDelta, generate_text
from .thread_pools import prepare_on_thread
from .usage import Usage

_CHAT_ONLY = (
    *("boxes", "render", "image_labels", "continue_final_message", "add_generation_prompt"),
    "mm_processor_kwargs",
)
_NUMBER = Whole(0, MAX_TOP_LOGPROBS)
CONTEXT_TOKENS = 8
"""How many of the prompt's last tokens are decoded with the answer: they keep the space before its
first word."""


async def complete(
    model_uid: str,
    prompt: str,
    config: Mapping[str, Any] | None,
    served: ServedCheckpoint,
    generate: Generate,
) -> Json | AsyncGenerator[Json, None]:
    """Continue `prompt` with a text completion, or with chunks of one if `stream` is set.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    name = merge_fields(config or {}).get("request_id")
    work = _hand_over(prompt, config or {}, served, generate)
    request, outputs = await served.pending.run(name, work)
    deltas = generate_text(request, outputs, served, before=request.ids[-CONTEXT_TOKENS:])
    if request.stream:
        return _stream_chunks(model_uid, request, deltas)
    return await _build_completion(model_uid, request, deltas)


async def _hand_over(
    prompt: str, config: Mapping[str, Any], served: ServedCheckpoint, generate: Generate
) -> tuple[ChatRequest, Outputs]:
    """Return a request that has been handed to the engine, and its outputs."""
    work = partial(_prepare, prompt, config, served)
    request = await prepare_on_thread(work, MediaSize(0, False))
    return request, await generate(request)


def _prepare(prompt: str, config: Mapping[str, Any], served: ServedCheckpoint) -> ChatRequest:
    if not isinstance(prompt, str) or not prompt:
        raise RequestError("prompt has to be a string that is not empty")
    options = read_options(_to_chat_options(config))
    for name in _CHAT_ONLY:
        if name in options:
            raise RequestError(f"{name} is an option of a chat; use /v1/chat/completions")
    check_text([prompt], served.context_length)
    request = build_request([(prompt, True)], [], options, served)
    if not set(served.tokenizer.convert_tokens_to_ids(list(REQUIRED))).isdisjoint(request.ids):
        raise RequestError("prompt: a completion has no pictures; use /v1/chat/completions")
    return request


def _to_chat_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as those of a chat; `logprobs` of a completion is a number of tokens."""
    options = merge_fields(config)
    count = options.pop("logprobs", None)
    if count is not None:
        options |= {"logprobs": True, "top_logprobs": _NUMBER.read("logprobs", count)}
    return {"extra_body": options}


@dataclass(slots=True)
class _Choice:
    """One answer of a completion, as the sum of its deltas."""

    text: str = ""
    logprobs: list[Json] = field(default_factory=list)
    ending: Ending | None = None

    def add(self, delta: TextDelta) -> None:
        self.text += delta.text
        self.logprobs += delta.logprobs
        self.ending = delta.ending or self.ending

    def to_json(self, index: int, offset: int, wanted: bool) -> Json:
        logprobs = to_logprob_lists(self.logprobs, offset) if wanted else None
        return {
            "index": index,
            "text": self.text,
            "logprobs": logprobs,
            **format_ending(self.ending),
        }


async def _build_completion(
    model_uid: str, request: ChatRequest, deltas: AsyncGenerator[TextDelta, None]
) -> Json:
    choices = [_Choice() for _ in range(request.sampling.n)]
    usage = Usage.of(request)
    async with aclosing(deltas):
        async for delta in deltas:
            usage.add(delta.tokens, delta.cached_tokens)
            choices[delta.choice].add(delta)
    wanted = request.sampling.logprobs is not None
    return {
        **build_head(model_uid, "cmpl", "text_completion"),
        "choices": [choice.to_json(index, 0, wanted) for index, choice in enumerate(choices)],
        "usage": usage.to_json(),
    }


async def _stream_chunks(
    model_uid: str, request: ChatRequest, deltas: AsyncGenerator[TextDelta, None]
) -> AsyncGenerator[Json, None]:
    """Yield the chunks of all answers, and finally the usage if the request asks for it."""
    start = build_head(model_uid, "cmpl", "text_completion")
    wanted = request.sampling.logprobs is not None
    offsets, usage = [0] * request.sampling.n, Usage.of(request)
    for index in range(request.sampling.n):
        # A chunk without text says that the request has been accepted.
        yield {**start, "choices": [_Choice().to_json(index, 0, False)]}
    async with aclosing(deltas):
        async for delta in deltas:
            usage.add(delta.tokens, delta.cached_tokens)
            if not (delta.text or delta.logprobs or delta.ending):
                continue
            part = _Choice(delta.text, delta.logprobs, delta.ending)
            yield {
                **start,
                "choices": [part.to_json(delta.choice, offsets[delta.choice], wanted)],
            }
            offsets[delta.choice] += sum(len(entry["token"]) for entry in delta.logprobs)
    if request.include_usage:
        yield {**start, "choices": [], "usage": usage.to_json()}
