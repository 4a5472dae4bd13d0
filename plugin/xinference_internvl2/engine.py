"""What an engine takes and gives: sampling parameters in, tokens and their ends out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """A `temperature` of 0 takes the likeliest token; a `top_k` of 0 considers all.

    `n` answers are made, with seeds that follow each other. `logprobs` is how many of the
    likeliest tokens are reported beside each chosen one; with None nothing is. `constraint`
    is what the text has to match, as a keyword and its value for the engine's grammar.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logprobs: int | None = None
    constraint: tuple[str, Any] | None = None


class TokenOutput(NamedTuple):
    """A token of answer number `choice`; `logprob` and `top`, the likeliest tokens and their
    logprobs, are there if the request asks for them."""

    choice: int
    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class FinishOutput(NamedTuple):
    """The end of answer number `choice`, as the engine saw it."""

    choice: int
    reason: FinishReason


Outputs = AsyncGenerator[TokenOutput | FinishOutput, None]
"""The tokens of all answers to a request as they come, each answer's closed by its finish."""
