"""The text of the answers as it grows: the outputs of an engine, detokenized."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from ..engine_outputs import FinishOutput, Outputs, PromptOutput, TokenOutput
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .boxes import Picture, find_boxes
from .detokenizer import Detokenizer
from .logprobs import Json, format_logprobs
from .repetition_detection import RepetitionDetector
from .request import ChatRequest
from .served_checkpoint import ServedCheckpoint
from .stop_conditions import find_format_stop_ids
from .stop_reason import Ending, find_ending


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


def generate_text(
    request: ChatRequest, outputs: Outputs, served: ServedCheckpoint, before: Sequence[int] = ()
) -> AsyncGenerator[TextDelta, None]:
    """Yield the text of a request's answers as it is generated.

    Args:
        before: the last tokens of a text that the answers continue.
    """
    detokenizers = [
        Detokenizer(
            served.tokenizer,
            request.sampling.stop,
            min_tokens=request.sampling.min_tokens,
            skip_special_tokens=request.skip_special_tokens,
            hidden=find_format_stop_ids(served),
            before=before,
            include_stop=request.include_stop,
        )
        for _ in range(request.sampling.n)
    ]
    return detokenize(outputs, detokenizers, served.tokenizer, request.pictures, request.repetition)


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
