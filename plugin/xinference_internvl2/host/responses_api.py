"""OpenAI's Responses: the messages as they were sent, and the fields that the host drops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .door import Door, current_door, error_object, refuse_tools

_READ = {
    *("model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p"),
    *("text", "tools", "tool_choice", "parallel_tool_calls", "metadata", "cache_salt"),
    *("previous_response_id", "conversation", "prompt", "background"),
}
# They say who asks or how the server works, and change no answer.
_WITHOUT_EFFECT = {"store", "user", "service_tier", "prompt_cache_key", "safety_identifier"}
_WITHOUT_EFFECT |= {"max_tool_calls", "prompt_cache_retention"}
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "include": ([], ["reasoning.encrypted_content"]),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "stream_options": ({}, {"include_obfuscation": False}),
}


def read(host: ModuleType, door: Door) -> None:
    """Find the fields that the host's translation drops; what it has no place for is refused."""
    refuse_tools(door.body)
    for name, neutral in _NEUTRAL.items():
        value = door.body.get(name)
        if value is not None and value not in neutral:
            raise RequestError(
                f"{name} {value!r:.80} is not supported by /v1/responses; leave it out, or use "
                "/v1/chat/completions"
            )
    known = _READ | _WITHOUT_EFFECT | set(_NEUTRAL)
    door.unread = {name: value for name, value in door.body.items() if name not in known}
    reasoning = door.unread.pop("reasoning", None)
    if isinstance(reasoning, dict) and reasoning.get("effort") is not None:
        door.unread["reasoning_effort"] = reasoning["effort"]
    text = door.body.get("text")
    if isinstance(text, dict) and text.get("verbosity") is not None:
        door.unread["verbosity"] = text["verbosity"]


def add_unread_fields(parse: Callable[[Any], Any]) -> Any:
    """Let the host's translation keep the messages, and hand over the fields it does not know."""

    def parse_responses_request(raw: Any) -> Any:
        parsed = parse(raw)
        door = current_door()
        if door is not None:
            messages = _read_messages(raw.get("instructions"), raw.get("input"))
            parsed.chat_body = {**door.unread, **parsed.chat_body, "messages": messages}
        return parsed

    return parse_responses_request


def _read_messages(instructions: Any, items: Any) -> list[dict[str, Any]]:
    """The host would make a user's message of a later system message, and drop parts."""
    messages = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(items, str):
        return [*messages, {"role": "user", "content": items}]
    for index, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "reasoning":
            continue  # another model's; this one has none
        if kind != "message":
            raise RequestError(f"input[{index}]: an item of type {kind!r} is not supported")
        messages.append({"role": item.get("role"), "content": item.get("content")})
    return messages


def refuse(
    host: ModuleType,
    request: Any,
    door: Door,
    status: int,
    message: str,
    headers: Mapping[str, str] | None,
) -> Any:
    """An error in the form of this API."""
    param = error_object(status, message, door)["param"]
    return host.RESTfulAPI._responses_error(status, message, param=param, headers=headers)
