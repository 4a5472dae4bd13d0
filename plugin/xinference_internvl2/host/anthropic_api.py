"""Anthropic's messages: what the host's translation leaves out, and its errors."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .door import Door, current_door, log_refusal, read_sentence, refuse_tools

_READ = {
    *("model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k"),
    *("stop_sequences", "metadata", "thinking", "tools", "tool_choice", "context_management"),
    *("output_config", "output_format", "cache_control", "cache_salt"),
}
# They say who asks or how the server works, and change no answer.
_WITHOUT_EFFECT = {"service_tier", "betas"}

_VERSION = b"anthropic-version"
# What the newer version takes out of requests is still read; answers have the same fields.
_SAME_ANSWERS = {b"2026-10-21": b"2023-06-01"}


def read(host: ModuleType, door: Door) -> None:
    """Find the fields that the host's translation drops; tools and reasoning are refused here."""
    refuse_tools(door.body)
    thinking = door.body.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") not in (None, "disabled"):
        raise RequestError("thinking: the model does not reason; leave it out")
    # The host refuses versions that it does not know, as those of newer clients.
    door.headers[:] = [
        (name, _SAME_ANSWERS.get(value, value) if name == _VERSION else value)
        for name, value in door.headers
    ]
    known = _READ | _WITHOUT_EFFECT
    door.unread = {name: value for name, value in door.body.items() if name not in known}


def add_unread_fields(translate: Callable[[Any], dict[str, Any]]) -> Any:
    """Let the host's translation hand over the fields that it does not know."""

    def to_openai_body(parsed: Any) -> dict[str, Any]:
        door = current_door()
        return {**(door.unread if door is not None else {}), **translate(parsed)}

    return to_openai_body


def refuse(
    host: ModuleType,
    request: Any,
    door: Door,
    status: int,
    message: str,
    headers: Mapping[str, str] | None,
) -> Any:
    """An error in the form of this API."""
    request_id = request.headers.get("x-request-id") or f"req_{uuid.uuid4().hex}"
    return host.RESTfulAPI._anthropic_error(status, message, request_id, headers=headers)


def clean_errors(make: Callable[..., Any]) -> Any:
    """The host makes its own errors of what a model says while tokens are counted."""

    def _anthropic_error(status: int, message: str, request_id: str, **options: Any) -> Any:
        door = current_door()
        if door is not None:
            message = read_sentence(message)
            log_refusal("An Anthropic request", door.body.get("model"), message)
        return make(status, message, request_id, **options)

    return _anthropic_error
