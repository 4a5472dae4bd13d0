"""Refuses options of a request that contradict each other, or of which one needs another.

Those who read the options call these functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import RequestError

_AGAINST_A_FORM = ("ignore_eos", "min_tokens", "allowed_token_ids", "bad_words")
"""Options that could exclude every token that the form of an answer allows."""


def set_once(options: dict[str, Any], name: str, value: Any, said: str) -> None:
    """Set an option that a request may give in two places.

    Args:
        said: the place of `value`.

    Raises:
        RequestError: the option has another value already.
    """
    if options.setdefault(name, value) != value:
        raise RequestError(f"{said} contradicts {name}; give only one")


def check_render(options: Mapping[str, Any]) -> None:
    """Refuse a stream of a prompt that is only rendered."""
    if options.get("render") and options.get("stream"):
        raise RequestError("render true gives no stream; leave stream out")


def check_greedy(options: Mapping[str, Any]) -> None:
    """Refuse options that need sampling, where the likeliest token is always taken."""
    if options.get("do_sample"):
        raise RequestError(
            f"do_sample true needs a temperature above 0, not {options['temperature']}"
        )
    if (n := options.get("n", 1)) > 1:
        raise RequestError(f"n {n} needs a temperature above 0, or all answers would be the same")


def check_lengths(min_tokens: int, max_tokens: int) -> None:
    """Refuse an answer that would have to be longer than it may be."""
    if min_tokens > max_tokens:
        raise RequestError(f"min_tokens {min_tokens} is more than the {max_tokens} of max_tokens")


def check_logprobs(options: Mapping[str, Any]) -> None:
    """Refuse log probabilities of other tokens without those of the sampled ones."""
    if "top_logprobs" in options and "logprobs" not in options:
        raise RequestError(f"top_logprobs {options['top_logprobs']} needs logprobs to be true")


def check_repetition(options: Mapping[str, Any]) -> None:
    """Refuse one of the two options of repetitions without the other."""
    if ("repetition_ngram_size" in options) != ("repetition_ngram_threshold" in options):
        raise RequestError(
            "repetition_ngram_size and repetition_ngram_threshold belong together; give both"
        )


def check_constraints(options: Mapping[str, Any], found: Sequence[Any]) -> None:
    """Refuse several forms of one answer, and options that no form can be kept with.

    Args:
        found: the forms that `options` ask for.
    """
    if len(found) > 1:
        raise RequestError(
            "response_format, structured_outputs and guided_… are several constraints; give only "
            "one"
        )
    for name in _AGAINST_A_FORM:
        if found and name in options:
            raise RequestError(f"{name} contradicts an answer of a given form; leave it out")


def check_tokens_left(allowed: Collection[int], bad_words: Collection[tuple[int, ...]]) -> None:
    """Refuse `bad_words`, as token ids, that leave no token of `allowed_token_ids`."""
    if allowed and set(allowed) <= {word[0] for word in bad_words if len(word) == 1}:
        raise RequestError(
            "bad_words leaves out all of allowed_token_ids, so no token is left; allow others"
        )


def check_continuation(options: Mapping[str, Any], after_answer: bool) -> None:
    """Refuse options that do not agree on whether the last message is continued.

    Args:
        after_answer: whether the last message is the assistant's, so that it can be continued.
    """
    go_on, answer = options.get("continue_final_message"), options.get("add_generation_prompt")
    if after_answer and go_on is not None and go_on == answer:
        raise RequestError(
            f"add_generation_prompt {answer} contradicts continue_final_message {go_on}; "
            "give only one"
        )
    for name, value in (("continue_final_message", go_on), ("add_generation_prompt", answer)):
        if not after_answer and value is (name == "continue_final_message"):
            raise RequestError(f"{name} {value} needs an assistant message at the end")
