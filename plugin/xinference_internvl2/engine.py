"""What an engine takes and returns: sampling parameters in, the tokens of each answer out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the tokens of the `n` answers to one prompt are sampled.

    Attributes:
        max_tokens: the length of an answer at which it ends.
        temperature: 0 always takes the likeliest token.
        top_k: 0 samples from all tokens.
        min_p: tokens of less than `min_p` times the probability of the likeliest one are left out.
        seed: of the first answer; answer number i has `seed` + i. None takes a random one.
        stop: strings that end an answer.
        min_tokens: the length before which neither a token nor a string ends an answer.
        logprobs: how many of the likeliest tokens are reported beside each sampled one; None
            reports no log probabilities at all.
        constraint: kind and value of the grammar that the text has to match, as `compile_grammar`
            takes them.
        logit_bias: token → what is added to its logit.
        allowed_token_ids: the only tokens that may be sampled, if there are any.
        bad_words: texts that an answer must not contain, for an engine that has a tokenizer.
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
