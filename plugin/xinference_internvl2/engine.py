"""What an engine takes and gives: sampling parameters in, tokens and their ends out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
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
        constraint: what the text has to match: a kind of grammar, as `compile_grammar` knows it,
            and its value.
        logit_bias: token → what is added to its logit.
        allowed_token_ids: if there are any, all other tokens are impossible.
        bad_words: texts that do not occur, for an engine that has a tokenizer.
        bad_word_ids: the same as token ids.
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
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    allowed_token_ids: tuple[int, ...] = ()
    bad_words: tuple[str, ...] = ()
    bad_word_ids: tuple[tuple[int, ...], ...] = ()


class PromptOutput(NamedTuple):
    """The prompt has been read, of which so many tokens were in a cache."""

    cached_tokens: int


class TokenOutput(NamedTuple):
    """A token of answer number `choice`; `logprob` and `top`, the likeliest tokens and their
    logprobs, are there if the request asks for them."""

    choice: int
    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class FinishOutput(NamedTuple):
    """The end of answer number `choice`, as the engine saw it, and the token that ended it."""

    choice: int
    reason: FinishReason
    token: int | None = None


Outputs = AsyncGenerator[PromptOutput | TokenOutput | FinishOutput, None]
"""The prompt's output at first, then the tokens of all answers to a request as they come, each
answer's closed by its finish."""
