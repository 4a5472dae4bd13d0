"""Reads the options of a chat request: which tokens an answer is made of, on every engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..engine import SamplingParams
from ..errors import RequestError

DEFAULT_MAX_TOKENS = 1024
MAX_CHOICES = 16
MAX_TOP_LOGPROBS = 20
MAX_STOPS, MAX_STOP_LENGTH = 16, 256

# Option → keyword of the constraint, and what its value has to be.
_GUIDED: dict[str, tuple[str, tuple[type, ...], str]] = {
    "guided_json": ("json", (dict, str), "an object or a string"),
    "guided_regex": ("regex", (str,), "a string"),
    "guided_choice": ("choice", (list,), "a list of strings"),
    "guided_grammar": ("grammar", (str,), "a string"),
}
_READ = {
    *("max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "n"),
    *("repetition_penalty", "presence_penalty", "frequency_penalty"),
    *("logprobs", "top_logprobs", "response_format", *_GUIDED, "guided_json_object"),
    *("stream", "stream_options", "mm_processor_kwargs"),
}
# These say who asks or how the server works, and change no answer.
_WITHOUT_EFFECT = {
    *("request_id", "user", "metadata", "store", "service_tier", "safety_identifier"),
    *("prompt_cache_key", "parallel_tool_calls", "cache_salt"),
}
_DEFAULTS = {"tool_choice": ("none", "auto"), "modalities": (["text"],)}


def read_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a request that are set, those in its `extra_body` included.

    Raises:
        RequestError: an option that no engine of ours has.
    """
    extra = config.get("extra_body") or {}
    if not isinstance(extra, Mapping):
        raise RequestError("extra_body has to be an object with further options")
    options = {**extra, **{name: value for name, value in config.items() if name != "extra_body"}}
    # What the host adds for itself has an underscore.
    options = {k: v for k, v in options.items() if v is not None and not k.startswith("_")}
    for name, value in options.items():
        known = name in _READ or name in _WITHOUT_EFFECT or value in _DEFAULTS.get(name, ())
        if not known and not _is_off(value):
            raise RequestError(f"{name} is not supported for this model; leave it out")
    return options


def _is_off(value: Any) -> bool:
    """`False`, 0, an empty list, or an object that holds nothing else."""
    return all(map(_is_off, value.values())) if isinstance(value, Mapping) else not value


def read_sampling(
    options: Mapping[str, Any], room: int, *, constrained: bool, max_tokens: int
) -> SamplingParams:
    """Return the sampling parameters of a request whose answer has `room` tokens at most.

    Args:
        options: as `read_options` returns them.
        constrained: whether the engine can hold an answer to a grammar.
        max_tokens: the length of an answer whose request does not say.

    Raises:
        RequestError: an option that is out of its range, of the wrong type, or that the engine
            does not have.
    """
    temperature = _number(options, "temperature", 0, 100)
    top_p = _number(options, "top_p", 0, 1)
    top_k = _number(options, "top_k", -1, math.inf)
    if temperature is None:
        # Greedy, as the model was published, unless the client asks for a choice of tokens.
        temperature = 0.0 if top_p is None and top_k is None else 1.0
    n = _whole(options, "n", 1, MAX_CHOICES) or 1
    if n > 1 and temperature < 1e-4:
        raise RequestError(f"n {n} needs a temperature above 0, or all answers would be the same")
    return SamplingParams(
        max_tokens=min(_whole(options, "max_tokens", 1, 1 << 31) or max_tokens, room),
        temperature=0.0 if temperature < 1e-4 else temperature,
        top_p=1.0 if top_p is None else max(top_p, 1e-6),
        top_k=int(min(max(top_k or 0, 0), 1 << 20)),
        repetition_penalty=_number(options, "repetition_penalty", 1e-3, 1e3) or 1.0,
        presence_penalty=_number(options, "presence_penalty", -2, 2) or 0.0,
        frequency_penalty=_number(options, "frequency_penalty", -2, 2) or 0.0,
        seed=_whole(options, "seed", 0, (1 << 63) - 1),
        stop=_stop(options),
        n=n,
        logprobs=_top_logprobs(options),
        constraint=_constraint(options, constrained),
    )


def _number(options: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = options.get(name)
    if value is None:
        return None
    # `not low <= value` is true of NaN too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(f"{name} {value!r} is not a number from {low} to {high}")
    return float(value)


def _whole(options: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RequestError(f"{name} {value!r} is not a whole number from {low} to {high}")
    return value


def _stop(options: Mapping[str, Any]) -> tuple[str, ...]:
    value = options.get("stop")
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise RequestError(f"stop has to be a string or a list of at most {MAX_STOPS} strings")
    for stop in stops:
        if not isinstance(stop, str) or not 1 <= len(stop) <= MAX_STOP_LENGTH:
            raise RequestError(
                f"stop {stop!r:.40} is not a string of 1 to {MAX_STOP_LENGTH} characters"
            )
    return tuple(stops)


def _top_logprobs(options: Mapping[str, Any]) -> int | None:
    wanted = options.get("logprobs", False)
    if not isinstance(wanted, bool):
        raise RequestError(f"logprobs {wanted!r} is not true or false")
    count = _whole(options, "top_logprobs", 0, MAX_TOP_LOGPROBS)
    if count and not wanted:
        raise RequestError(f"top_logprobs {count} needs logprobs to be true")
    return (count or 0) if wanted else None


def _constraint(options: Mapping[str, Any], constrained: bool) -> tuple[str, Any] | None:
    found = [_response_format(options.get("response_format"))]
    found += [_guided(name, options[name]) for name in _GUIDED if name in options]
    if options.get("guided_json_object"):
        found.append(("json_object", True))
    constraints = [item for item in found if item is not None]
    if len(constraints) > 1:
        raise RequestError("response_format and guided_… are several constraints; give only one")
    if constraints and not constrained:
        name = next(
            name for name in ("response_format", *_GUIDED, "guided_json_object") if name in options
        )
        raise RequestError(f"{name} is not supported on this engine; launch the model on vLLM")
    return constraints[0] if constraints else None


def _guided(name: str, value: Any) -> tuple[str, Any]:
    key, types, wanted = _GUIDED[name]
    strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
    if not isinstance(value, types) or not value or not strings:
        raise RequestError(f"{name} {value!r:.40} is not {wanted}")
    return key, value


def _response_format(value: Any) -> tuple[str, Any] | None:
    kind = value.get("type") if isinstance(value, Mapping) else value
    if kind in (None, "text"):
        return None
    if kind == "json_object":
        return "json_object", True
    schema = value.get("json_schema") if isinstance(value, Mapping) else None
    if kind != "json_schema" or not isinstance(schema, Mapping):
        raise RequestError(
            f"response_format of type {kind!r} is not text, json_object, or json_schema with one"
        )
    # The host renames the field.
    found = schema.get("schema_") if schema.get("schema_") is not None else schema.get("schema")
    if not isinstance(found, Mapping):
        raise RequestError("response_format.json_schema.schema has to be an object")
    return "json", dict(found)
