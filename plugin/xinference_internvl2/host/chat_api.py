"""OpenAI's chat completions and completions: dropped fields, and errors that clients read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from .door import Door, current_door, error_object, refuse_tools

# In the host's schemas, and dropped all the same.
_DROPPED = {"n", "best_of", "logit_bias"}
_GUIDED = {"guided_json", "guided_regex", "guided_choice", "guided_grammar", "guided_json_object"}
_GUIDED |= {"guided_decoding_backend", "guided_whitespace_pattern"}
_READ_ANYWAY = {"extra_body", "cache_salt", *_GUIDED}


def read_chat(host: ModuleType, door: Door) -> None:
    """Find the fields of a chat request that the host drops; tools are refused here."""
    refuse_tools(door.body)
    _find_unread(door, {*host.CreateChatCompletion.__fields__, *_READ_ANYWAY, "enable_thinking"})


def read_completion(host: ModuleType, door: Door) -> None:
    """Find the fields of a completion request that the host drops."""
    _find_unread(door, {*host.CreateCompletionRequest.__fields__, *_READ_ANYWAY})


def _find_unread(door: Door, read: set[str]) -> None:
    read -= _DROPPED
    further = door.body.get("extra_body") or {}
    door.unread = {**further, **{k: v for k, v in door.body.items() if k not in read}}
    # The host answers 501 to any.
    door.body.pop("logit_bias", None)


def add_unread_fields(extract: Callable[..., dict[str, Any]]) -> Any:
    """The host asks here for the guided fields, which it hands over beside those of its schema."""

    def extract_guided_params(raw_body: dict[str, Any]) -> dict[str, Any]:
        found = extract(raw_body)
        door = current_door()
        if door is not None and door.unread:
            found["extra_body"] = door.unread
        return found

    return extract_guided_params


def refuse(
    host: ModuleType,
    request: Any,
    door: Door,
    status: int,
    message: str,
    headers: Mapping[str, str] | None,
) -> Any:
    """An error as the host's clients read it in `detail`, and OpenAI's in `error`."""
    content = {"detail": message, "error": error_object(status, message, door)}
    return host.JSONResponse(content=content, status_code=status, headers=headers)
