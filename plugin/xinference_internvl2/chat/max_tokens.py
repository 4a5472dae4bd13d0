"""How long an answer may be: `max_tokens`, its default and its other name, and `min_tokens`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .option_conflicts import check_lengths, set_once

DEFAULT_MAX_TOKENS = 1024


def rename_max_completion_tokens(options: dict[str, Any]) -> None:
    """Give `max_completion_tokens` its older name `max_tokens`.

    Raises:
        RequestError: the request has both, and they differ.
    """
    if "max_completion_tokens" in options:
        longest = options.pop("max_completion_tokens")
        set_once(options, "max_tokens", longest, "max_completion_tokens")


def read_lengths(
    options: Mapping[str, Any], room: int, server_max_tokens: int | None = None
) -> tuple[int, int]:
    """Return the most and the fewest tokens of an answer; neither is more than the `room`.

    Args:
        options, room, server_max_tokens: as for `read_sampling`.

    Raises:
        RequestError: `min_tokens` is more than `max_tokens`.
    """
    most = options.get("max_tokens") or server_max_tokens or DEFAULT_MAX_TOKENS
    fewest = options.get("min_tokens", 0)
    check_lengths(fewest, most)
    return min(most, room), min(fewest, room)
