"""The outputs that every engine returns: the tokens of the answers to a request, and their ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, NamedTuple

FinishReason = Literal["stop", "length"]


class PromptOutput(NamedTuple):
    """The prompt has been read; `cached_tokens` of its tokens came from the prefix cache."""

    cached_tokens: int


class TokenOutput(NamedTuple):
    """A sampled token of answer number `choice`.

    `logprob` is its log probability, and `top` the likeliest tokens with theirs, likeliest first;
    both are empty unless the request asks for them.
    """

    choice: int
    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class FinishOutput(NamedTuple):
    """Why answer number `choice` ended, and the stop token that ended it, if one did."""

    choice: int
    reason: FinishReason
    token: int | None = None


Outputs = AsyncGenerator[PromptOutput | TokenOutput | FinishOutput, None]
"""One `PromptOutput`, then the tokens of all answers as they are sampled, in any order of answers;
after its last token, each answer has one `FinishOutput`."""
