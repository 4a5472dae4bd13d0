"""OpenAI's Responses API: keeps the messages of a request, and the fields that the host drops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .api_call import ApiCall, current_call
from .error_fields import find_field
from .refuse_tools import refuse_tools
from .request_body import add_options
from .unsupported_fields import (
    RESPONSES,
    RESPONSES_STORED,
    USE_CHAT,
    check_keys,
    refuse_unless_neutral,
)

_READ = {
    *("model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p"),
    *("text", "tools", "cache_salt"),
}
_NAMES = {
    "response_format.json_schema": "text.format",
    "response_format": "text.format",
    "max_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}
_FORMAT = ("type", "name", "schema", "description", "strict")
# Fields that an answer has when a client sends it back.
_OF_ANSWERS = ("type", "id", "status")


def read(call: ApiCall) -> None:
    """Note in `call` what the host's translation would drop.

    Raises:
        RequestError: the request has what no answer can honour.
    """
    refuse_tools(call.body)
    call.names = _NAMES
    call.options = {name: value for name, value in call.body.items() if name not in _READ}
    refuse_unless_neutral(call, RESPONSES, USE_CHAT)
    refuse_unless_neutral(call, RESPONSES_STORED, "send the whole conversation in input")
    text = check_keys("text", call.body.get("text"), ("format", "verbosity"))
    check_keys("text.format", text.get("format"), _FORMAT)
    reasoning = check_keys("reasoning", call.options.pop("reasoning", None), ("effort", "summary"))
    for name, value in (
        ("reasoning_effort", reasoning.get("effort")),
        ("verbosity", text.get("verbosity")),
    ):
        if value is not None:
            call.options[name] = value
    _read_messages(call)


def _read_messages(call: ApiCall) -> None:
    """Note all messages: the host would make later system messages a user's, and drop parts."""
    if (instructions := call.body.get("instructions")) is not None:
        if not isinstance(instructions, str):
            raise RequestError(f"instructions has to be a string, not {instructions!r:.80}")
        call.add_message("instructions", "system", instructions)
    items = call.body.get("input")
    if isinstance(items, str):
        call.add_message("input", "user", items)
        return
    if not isinstance(items, list):
        raise RequestError(f"input has to be a string or a list of items, not {items!r:.80}")
    for index, item in enumerate(items):
        _read_item(call, f"input[{index}]", item)


def _read_item(call: ApiCall, place: str, item: Any) -> None:
    if not isinstance(item, dict):
        raise RequestError(f"{place} has to be an object with a role and content, not {item!r:.80}")
    kind = item.get("type") or "message"
    if kind == "reasoning":
        return  # another model's; this one has none
    if kind != "message":
        raise RequestError(
            f"{place}: an item of type {kind!r:.40} is not supported; send messages alone"
        )
    message = {name: value for name, value in item.items() if name not in _OF_ANSWERS}
    call.add_message(place, **{"role": None, "content": None, **message})


def hand_over(parse: Callable[[Any], Any]) -> Any:
    """Let the host's translation keep the messages, and the fields that it would drop."""

    def parse_responses_request(raw: Any) -> Any:
        call = current_call()
        if call is None:
            return parse(raw)
        parsed = parse({**raw, "input": ""})
        parsed.chat_body = {**add_options(parsed.chat_body), "messages": call.messages}
        return parsed

    return parse_responses_request


def refuse(
    host: ModuleType,
    request: Any,
    call: ApiCall,
    status: int,
    message: str,
    headers: Mapping[str, str] | None,
) -> Any:
    """Return the response to a refused request, in the form of this API."""
    return host.RESTfulAPI._responses_error(
        status, message, param=find_field(call, message), headers=headers
    )
