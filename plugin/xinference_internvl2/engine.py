"""What an engine takes and gives: sampling parameters in, tokens and their ends out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the tokens of the answers to one prompt are chosen.

    Attributes:
        min_tokens: before an answer has so many, nothing ends it.
        temperature: 0 takes the likeliest token.
        top_k: 0 considers all tokens.
        min_p: tokens less likely than that part of the likeliest are left out.
        seed: of the first answer; those of the others follow it.
        logprobs: how many of the likeliest tokens are reported beside each chosen one; with None
            no logprob is.
        constraint: what the text has to match, as a keyword and its value for the engine's grammar.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    min_tokens: int = 0
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
