"""What the host's Anthropic routes ask of a model before they call its chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WITHOUT_CACHED_TOKENS = "_without_cached_tokens"
"""Of a request's options: its usage does not tell how much of the prompt was in a cache."""


def prepare_anthropic_request(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return messages and options as a chat takes them.

    The prompt is not counted here, since the chat fetches its pictures: 0 has the host ask
    `count_tokens` where it is the count that the client wants.
    """
    options = dict(config)
    if options.get("stream"):
        # The first event of these routes says how long the prompt is.
        options["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    # These routes count cached tokens beside the others, and only where a client asks for a cache.
    options[WITHOUT_CACHED_TOKENS] = True
    return {
        "messages": list(messages),
        "generate_config": options,
        "input_tokens": 0,
        "cache_control_applied": False,
    }
