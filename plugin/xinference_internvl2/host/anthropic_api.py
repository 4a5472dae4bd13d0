"""Anthropic's messages: blocks and options as they were sent, and errors of that API."""

from __future__ import annotations

import dataclasses
import sys
import uuid
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import NO_TOOLS, OverloadedError, RequestError
from .api_call import ApiCall, add_options, current_call
from .error_response import ERROR_TYPES, http_status, read_sentence
from .request_body import check_keys, refuse_tools, refuse_unless_neutral
from .request_log import log_refusal

_READ = {
    *("model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k"),
    *("stop_sequences", "tools", "tool_choice", "context_management", "output_config"),
    *("output_format", "cache_control", "cache_salt"),
}
# An answer is one text, and a stream always has its usage.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    **{"n": (1,), "logprobs": (False,), "top_logprobs": (0,)},
    **{"boxes": (False,), "render": (False,), "stream_options": ({},)},
}
_KEYS = {
    "output_config": ("effort", "format"),
    "output_format": ("type", "schema"),
    "context_management": ("edits",),
}
_NAMES = {"stop": "stop_sequences", "response_format": "output_config.format"}
_OF_TOOLS = ("tool_use", "tool_result", "tool_reference", "server_tool_use")
_THINKING = ("thinking", "redacted_thinking")
_ANY_MESSAGES = [{"role": "user", "content": "Hi"}]
# Claude Code begins its system text with one, for the servers of Anthropic.
_BILLING = "x-anthropic-billing-header"

_VERSION = b"anthropic-version"
# What the newer version takes out of requests is still read; answers have the same fields.
_SAME_ANSWERS = {b"2026-10-21": b"2023-06-01"}


def read(host: ModuleType, call: ApiCall) -> None:
    """Take past the host what its translation drops; tools and reasoning are refused here."""
    refuse_tools(call.body)
    _check_objects(call.body)
    call.names = _NAMES
    # The host refuses versions that it does not know, as those of newer clients.
    call.headers[:] = [
        (name, _SAME_ANSWERS.get(value, value) if name == _VERSION else value)
        for name, value in call.headers
    ]
    call.options = {name: value for name, value in call.body.items() if name not in _READ}
    # The model has its own sentence for it.
    call.body.pop("thinking", None)
    refuse_unless_neutral(call, _NEUTRAL, "leave it out, or use /v1/chat/completions")
    _read_messages(call)


def _check_objects(body: Mapping[str, Any]) -> None:
    for name, keys in _KEYS.items():
        check_keys(name, body.get(name), keys)
    if not isinstance(choice := body.get("tool_choice"), str):
        check_keys("tool_choice", choice, ("type", "name", "disable_parallel_tool_use"))
    config = body.get("output_config", {})
    check_keys("output_config.format", config.get("format"), ("type", "schema"))
    if config.get("effort") is not None:
        raise RequestError("output_config.effort is not supported: the model does not reason")
    if config.get("format") is not None and body.get("output_format") is not None:
        raise RequestError("output_format stands beside output_config.format; give only one")


def _read_messages(call: ApiCall) -> None:
    """The host would put later system messages first, and drop unknown keys."""
    if (system := call.body.get("system")) is not None:
        call.add_message("system", "system", _take_out_foreign(system))
    messages = call.body.get("messages")
    if not isinstance(messages, list):
        raise RequestError("messages has to be a list")
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if not isinstance(message, dict):
            raise RequestError(f"{place} has to be an object with a role and content")
        _refuse_blocks_of_tools(place, message.get("content"))
        content = _take_out_foreign(message.get("content"))
        call.add_message(place, **{"role": None, **message, "content": content})


def _refuse_blocks_of_tools(place: str, content: Any) -> None:
    for index, block in enumerate(content if isinstance(content, list) else ()):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in _OF_TOOLS:
            raise RequestError(
                f"{place}.content[{index}]: content of type {kind!r} is not supported: {NO_TOOLS}"
            )


def _take_out_foreign(content: Any) -> Any:
    """Leave out the thoughts of other models and what is said to other servers."""
    if not isinstance(content, list):
        return content
    return [block for block in content if not (isinstance(block, dict) and _is_foreign(block))]


def _is_foreign(block: Mapping[str, Any]) -> bool:
    text = block.get("text")
    return block.get("type") in _THINKING or (isinstance(text, str) and text.startswith(_BILLING))


def keep_messages(protocol: ModuleType, parse: Callable[[Any], Any]) -> Any:
    """Let the host hand over the messages as they were sent, and read the other fields alone."""

    def parse_anthropic_request(raw: Any) -> Any:
        call = current_call()
        if call is None:
            return parse(raw)
        try:
            parsed = parse({**raw, "system": None, "messages": _ANY_MESSAGES})
            return dataclasses.replace(parsed, messages=call.messages)
        except (TypeError, AttributeError, KeyError) as error:
            # It looks into values before it knows what they are.
            message = f"a field of the request has a value of the wrong type: {error}"
            raise protocol.AnthropicProtocolError(400, ERROR_TYPES[400], message) from None

    return parse_anthropic_request


def hand_over_options(translate: Callable[[Any], dict[str, Any]]) -> Any:
    """Let the host's translation hand over the fields that it does not know."""

    def to_openai_body(parsed: Any) -> dict[str, Any]:
        return add_options(translate(parsed))

    return to_openai_body


def refuse(
    host: ModuleType,
    request: Any,
    call: ApiCall,
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
        call, cause = current_call(), sys.exc_info()[1]
        if call is not None:
            message = call.name_places(read_sentence(message))
            log_refusal("An Anthropic request", call.body.get("model"), message)
        if isinstance(cause, OverloadedError):
            status = http_status(cause)
        return make(status, message, request_id, **options)

    return _anthropic_error
