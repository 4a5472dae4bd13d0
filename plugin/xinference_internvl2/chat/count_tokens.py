"""Counts the tokens of a prompt without an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..media.memory_budget import Reservation
from .prepare_within_budget import prepare_request
from .served_checkpoint import ServedCheckpoint


async def count_tokens(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None,
    served: ServedCheckpoint,
) -> int:
    """Return the length of the prompt, image tokens included; errors as for `chat_flow.answer`."""
    reservation = Reservation(served.budget)
    try:
        return len((await prepare_request(messages, config or {}, served, reservation)).ids)
    finally:
        reservation.release()
