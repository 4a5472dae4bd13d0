"""Decides whether an answer continues the final message of a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .option_conflicts import check_continuation


def continues_final_message(
    options: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether the answer continues the last message, which then is the assistant's.

    Raises:
        RequestError: the options contradict each other, or there is no message to continue.
    """
    last = messages[-1] if messages else None
    after_answer = isinstance(last, Mapping) and last.get("role") == "assistant"
    check_continuation(options, after_answer)
    answer_it = options.get("add_generation_prompt", False)
    return after_answer and bool(options.get("continue_final_message", not answer_it))
