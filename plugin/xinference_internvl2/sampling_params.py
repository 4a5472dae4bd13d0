"""The sampling parameters that every engine takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the tokens of the `n` answers to one prompt are sampled.

    Attributes:
        max_tokens: the length of an answer at which it ends.
        temperature: 0 always takes the likeliest token.
        top_k: 0 samples from all tokens.
        min_p: tokens of less than `min_p` times the probability of the likeliest one are left out.
        seed: of the first answer; each further one has the next number. None takes random ones.
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
