"""The fields that an API lacks for our models: one that changes nothing is dropped, others refused.

Those of a chat are in the table of its options.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import RequestError
from ..neutral_values import is_neutral
from .api_call import ApiCall

Neutral = Mapping[str, tuple[Any, ...]]
"""Field → the values that change nothing."""

# An answer of these APIs is one text.
_ONE_TEXT: Neutral = {
    **{"n": (1,), "logprobs": (False,), "top_logprobs": (0,)},
    **{"boxes": (False,), "render": (False,)},
}
RESPONSES: Neutral = {
    **_ONE_TEXT,
    "include": ([], ["reasoning.encrypted_content"]),
    "truncation": ("disabled",),
    "stream_options": ({}, {"include_obfuscation": False}, {"include_obfuscation": True}),
}
# Nothing is stored.
RESPONSES_STORED: Neutral = {
    **{"background": (False,), "previous_response_id": (), "conversation": (), "prompt": ()},
}
# A stream always has its usage.
ANTHROPIC: Neutral = {**_ONE_TEXT, "stream_options": ({},)}
# The host reads them since 4.1. An earlier one drops them, so only what changes no answer is taken:
# prompts are kept in a cache anyway, and there is no reasoning.
ANTHROPIC_BEFORE_4_1: Neutral = {
    "output_config": ({},),
    "output_format": (),
    "cache_control": (
        {"type": "ephemeral"},
        *({"type": "ephemeral", "ttl": ttl} for ttl in ("5m", "1h")),
    ),
    "context_management": (
        *({}, {"edits": []}),
        {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    ),
}
USE_CHAT = "leave it out, or use /v1/chat/completions"
"""The remedy for a field that a chat has."""


def check_keys(place: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    """Check that an object of a request has only `known` keys, and return it; None becomes empty.

    Raises:
        RequestError: it is no object, or has another key, which the host would ignore.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(
            f"{place} {value!r:.80} is not an object; send one with {', '.join(known)}"
        )
    for key in value:
        if key not in known:
            raise RequestError(f"{place}.{key} is not supported; leave it out")
    return value


def refuse_unless_neutral(call: ApiCall, neutral: Neutral, remedy: str) -> None:
    """Remove the options in `neutral`, which this API does not have.

    Args:
        remedy: for the message.

    Raises:
        RequestError: an option has another value.
    """
    for name in neutral:
        value = call.options.pop(name, None)
        if value is not None and not is_neutral(value, neutral[name]):
            raise RequestError(f"{name} {value!r:.80} is not supported by this API; {remedy}")
