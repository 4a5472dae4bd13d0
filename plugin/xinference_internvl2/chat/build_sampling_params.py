"""Reads the sampling parameters of an engine from the options of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..sampling_params import SamplingParams
from .max_tokens import read_lengths
from .option_conflicts import check_greedy, check_logprobs
from .stop_conditions import read_stop_strings
from .structured_outputs import read_constraint

GREEDY_BELOW = 1e-4
"""Lower temperatures are taken for 0: dividing logits by them overflows."""


def read_sampling(
    options: Mapping[str, Any],
    room: int,
    server_max_tokens: int | None = None,
    launch_stop: Sequence[str] = (),
) -> SamplingParams:
    """Return the sampling parameters of a request.

    Args:
        options: as `read_options` returns them.
        room: the most tokens that the context leaves for the answer.
        server_max_tokens: the `max_tokens` of requests without, as the server was started with.
        launch_stop: the stop strings of the launch.

    Raises:
        RequestError: options that contradict each other.
    """
    max_tokens, min_tokens = read_lengths(options, room, server_max_tokens)
    return SamplingParams(
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        temperature=_read_temperature(options),
        top_p=max(options.get("top_p", 1.0), 1e-6),
        top_k=min(options.get("top_k", 0), 1 << 20),
        min_p=options.get("min_p", 0.0),
        repetition_penalty=options.get("repetition_penalty", 1.0),
        presence_penalty=options.get("presence_penalty", 0.0),
        frequency_penalty=options.get("frequency_penalty", 0.0),
        seed=options.get("seed"),
        stop=read_stop_strings(options, launch_stop),
        n=options.get("n", 1),
        logprobs=_read_top_logprobs(options),
        constraint=read_constraint(options),
    )


def _read_temperature(options: Mapping[str, Any]) -> float:
    """Return the temperature: 0, as the model is published, unless an option asks for sampling."""
    samples = options.get("do_sample")
    asked = samples or any(name in options for name in ("top_p", "top_k", "min_p"))
    temperature = float(options.get("temperature", 1.0 if asked else 0.0))
    if samples is not False and temperature >= GREEDY_BELOW:
        return temperature
    check_greedy(options)
    return 0.0


def _read_top_logprobs(options: Mapping[str, Any]) -> int | None:
    check_logprobs(options)
    return options.get("top_logprobs", 0) if "logprobs" in options else None
