"""Why an answer ended, and what each API is told of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..engine_outputs import FinishOutput, FinishReason
from .detokenizer import Detokenizer

REPETITION = "repetition_detected"
"""The `stop_reason` of an answer that repeated itself, as vLLM calls it."""


class Ending(NamedTuple):
    """Why an answer ended.

    Attributes:
        stop_sequence: the stop string of the request that ended it.
        stop_reason: `REPETITION` if it repeated itself.
    """

    finish_reason: FinishReason
    stop_sequence: str | None = None
    stop_reason: str | None = None


def find_ending(end: FinishOutput | None, detokenizer: Detokenizer, repeats: bool) -> Ending:
    """Return why an answer ended.

    Args:
        end: of the engine; None where a stop string or a repetition ends the answer.
    """
    if detokenizer.stopped:
        return Ending("stop", detokenizer.stop_string)
    return Ending(end.reason if end else "stop", None, REPETITION if repeats else None)


def format_ending(ending: Ending | None) -> dict[str, Any]:
    """Return the fields of a response that say what ended an answer.

    Xinference's Anthropic API reads `stop_sequence`, and vLLM's clients know `stop_reason`.
    """
    if ending is None:
        return {"finish_reason": None}
    beyond_openai = {"stop_sequence": ending.stop_sequence, "stop_reason": ending.stop_reason}
    return {
        "finish_reason": ending.finish_reason,
        **{name: value for name, value in beyond_openai.items() if value},
    }
