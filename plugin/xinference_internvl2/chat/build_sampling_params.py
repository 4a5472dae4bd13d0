"""Reads the sampling parameters of an engine from the options of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from ..sampling_params import SamplingParams
from .structured_outputs import read_constraint

GREEDY_BELOW = 1e-4
"""Lower temperatures are taken for 0: dividing logits by them overflows."""


def read_sampling(options: Mapping[str, Any], room: int, max_tokens: int) -> SamplingParams:
    """Return the sampling parameters of a request.

    Args:
        options: as `read_options` returns them.
        room: the most tokens that the context leaves for the answer.
        max_tokens: the length of an answer whose request does not give one.

    Raises:
        RequestError: options that contradict each other.
    """
    temperature, n = _read_temperature(options), options.get("n", 1)
    if n > 1 and temperature == 0:
        raise RequestError(f"n {n} needs a temperature above 0, or all answers would be the same")
    longest = options.get("max_tokens", max_tokens)
    min_tokens = options.get("min_tokens", 0)
    if min_tokens > longest:
        raise RequestError(f"min_tokens {min_tokens} is more than the {longest} of max_tokens")
    constraint = read_constraint(options)
    return SamplingParams(
        max_tokens=min(longest, room),
        min_tokens=min(min_tokens, room),
        temperature=temperature,
        top_p=max(options.get("top_p", 1.0), 1e-6),
        top_k=min(options.get("top_k", 0), 1 << 20),
        min_p=options.get("min_p", 0.0),
        repetition_penalty=options.get("repetition_penalty", 1.0),
        presence_penalty=options.get("presence_penalty", 0.0),
        frequency_penalty=options.get("frequency_penalty", 0.0),
        seed=options.get("seed"),
        stop=options.get("stop", ()),
        n=n,
        logprobs=_read_top_logprobs(options),
        constraint=constraint,
    )


def _read_temperature(options: Mapping[str, Any]) -> float:
    """Return the temperature: 0, as the model is published, unless an option asks for sampling."""
    samples = options.get("do_sample")
    asked = samples or any(name in options for name in ("top_p", "top_k", "min_p"))
    temperature = float(options.get("temperature", 1.0 if asked else 0.0))
    if samples and temperature < GREEDY_BELOW:
        raise RequestError(f"do_sample true needs a temperature above 0, not {temperature}")
    return 0.0 if samples is False or temperature < GREEDY_BELOW else temperature


def _read_top_logprobs(options: Mapping[str, Any]) -> int | None:
    count: int = options.get("top_logprobs", 0)
    if count and "logprobs" not in options:
        raise RequestError(f"top_logprobs {count} needs logprobs to be true")
    return count if "logprobs" in options else None
