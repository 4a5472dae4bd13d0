"""Prepares requests of Anthropic's API, whose usage counts tokens in another way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WITHOUT_CACHED_TOKENS = "_without_cached_tokens"
"""The option of a request whose usage has no count of cached tokens."""


def prepare_anthropic_request(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return messages and options for a chat, in the form that the host expects.

    `input_tokens` is 0, since counting the prompt would fetch its pictures; where the client wants
    the count, 0 makes the host call `count_tokens`.
    """
    options = dict(config)
    if options.get("stream"):
        # The first event of these routes has the length of the prompt.
        options["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    # These routes count cached tokens beside the others, and only where a client asks for a cache.
    options[WITHOUT_CACHED_TOKENS] = True
    return {
        "messages": list(messages),
        "generate_config": options,
        "input_tokens": 0,
        "cache_control_applied": False,
    }
