"""Refuses tools, before the host answers with a list of all models that call some.

What gets past the host's APIs, `chat/option_table.py` refuses as an option, and `chat/messages.py`
in a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import NO_TOOL_RESULT, NO_TOOLS, RequestError

_BLOCKS = ("tool_use", "tool_result", "tool_reference", "server_tool_use")


def refuse_tools(body: Mapping[str, Any]) -> None:
    """Refuse the tools of a request, and their results.

    Raises:
        RequestError: the request has tools, or the result of one.
    """
    for name in ("tools", "functions"):
        if body.get(name):
            raise RequestError(f"{name} is not supported: {NO_TOOLS}; leave it out")
    messages = body.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict) and message.get("role") in ("tool", "function"):
            raise RequestError(f"messages[{index}]: {NO_TOOL_RESULT}")


def refuse_blocks_of_tools(place: str, content: Any) -> None:
    """Refuse a message of Anthropic's API whose content calls a tool or has the result of one.

    Args:
        place: of the message, for the sentence.

    Raises:
        RequestError: it does.
    """
    for index, block in enumerate(content if isinstance(content, list) else ()):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in _BLOCKS:
            raise RequestError(
                f"{place}.content[{index}]: content of type {kind!r} is not supported: {NO_TOOLS}; "
                "leave it out"
            )
