"""Builds the response of OpenAI's chat protocol from the outputs of an engine."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ..engine_outputs import FinishOutput, Outputs, PromptOutput, TokenOutput
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .boxes import Picture, find_boxes
from .detokenizer import Detokenizer
from .logprobs import format_logprobs
from .repetition_detection import RepetitionDetector
from .request import ChatRequest
from .stop_reason import Ending, find_ending, format_ending
from .usage import Usage

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """What answer number `choice` grows by.

    Attributes:
        logprobs: of the new tokens, as OpenAI's protocol has them.
        tokens: how many tokens are new.
        ending: why the answer ended; in its last delta alone, as are the boxes.
        boxes: those of the whole answer, if the request asks for them.
        cached_tokens: tokens of the prompt that came from the prefix cache.
    """

    choice: int
    text: str
    logprobs: list[Json] = field(default_factory=list)
    tokens: int = 0
    ending: Ending | None = None
    boxes: list[Json] | None = None
    cached_tokens: int = 0


async def detokenize(
    outputs: Outputs,
    detokenizers: Iterable[Detokenizer],
    tokenizer: InternVL2Tokenizer,
    pictures: Sequence[Picture] | None = None,
    repetition: tuple[int, int] | None = None,
) -> AsyncGenerator[TextDelta, None]:
    """Yield the text of all answers as it is generated.

    `outputs` is closed as soon as all answers are complete, or with this generator.

    Args:
        detokenizers: one for each answer.
        pictures: those that boxes may refer to; None if no boxes are asked for.
        repetition: `size` and `threshold` of a `RepetitionDetector`; None detects none.
    """
    running = dict(enumerate(detokenizers))
    detectors = {choice: RepetitionDetector(*repetition) for choice in running if repetition}
    async with aclosing(outputs):
        async for output in outputs:
            if isinstance(output, PromptOutput):
                yield TextDelta(0, "", cached_tokens=output.cached_tokens)
                continue
            detokenizer = running.get(output.choice)
            if detokenizer is None:
                continue
            end = output if isinstance(output, FinishOutput) else None
            repeats = False
            if isinstance(output, TokenOutput):
                text = detokenizer.add(output.id)
                yield TextDelta(output.choice, text, format_logprobs(output, tokenizer), tokens=1)
                repeats = output.choice in detectors and detectors[output.choice].add(output.id)
            if end or repeats or detokenizer.stopped:
                for delta in _finish(output.choice, end, detokenizer, pictures, repeats):
                    yield delta
                del running[output.choice]
            if not running:
                break


def _finish(
    choice: int,
    end: FinishOutput | None,
    detokenizer: Detokenizer,
    pictures: Sequence[Picture] | None,
    repeats: bool,
) -> Iterator[TextDelta]:
    """Yield the rest of an answer, and its last delta.

    Args:
        end: of the engine; None where a stop string or a repetition ends the answer.
    """
    rest = detokenizer.finish(end.token if end else None)
    if rest:
        yield TextDelta(choice, rest)
    boxes = None if pictures is None else find_boxes(detokenizer.raw_text, pictures)
    yield TextDelta(choice, "", ending=find_ending(end, detokenizer, repeats), boxes=boxes)


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
