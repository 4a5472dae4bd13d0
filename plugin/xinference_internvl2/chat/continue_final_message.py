"""Decides whether an answer continues the final message of a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import RequestError


def continues_final_message(
    options: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether the answer continues the last message, which then is the assistant's.

    Raises:
        RequestError: the options contradict each other, or there is no message to continue.
    """
    go_on, answer = options.get("continue_final_message"), options.get("add_generation_prompt")
    last = messages[-1] if messages else None
    if isinstance(last, Mapping) and last.get("role") == "assistant":
        if go_on is not None and go_on == answer:
            raise RequestError(
                f"add_generation_prompt {answer} contradicts continue_final_message {go_on}; "
                "give only one"
            )
        return bool(not answer if go_on is None else go_on)
    for name, value in (("continue_final_message", go_on), ("add_generation_prompt", answer)):
        if value is (name == "continue_final_message"):
            raise RequestError(f"{name} {value} needs an assistant message at the end")
    return False
