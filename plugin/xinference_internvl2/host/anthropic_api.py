"""Anthropic's messages API: keeps the blocks and options of a request, and words its errors."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import uuid
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import OverloadedError, RequestError
from .api_call import ApiCall, current_call
from .error_fields import translate_fields
from .error_message import clean_message
from .error_status import ERROR_TYPES, choose_status
from .refuse_tools import refuse_blocks_of_tools, refuse_tools
from .request_body import add_options
from .request_log import log_refusal
from .unsupported_fields import (
    ANTHROPIC,
    ANTHROPIC_BEFORE_4_1,
    USE_CHAT,
    check_keys,
    refuse_unless_neutral,
)

_READ = {
    *("model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k"),
    *("stop_sequences", "tools", "tool_choice", "context_management", "output_config"),
    *("output_format", "cache_control", "cache_salt"),
}
_KEYS = {
    "output_config": ("effort", "format"),
    "output_format": ("type", "schema"),
    "context_management": ("edits",),
}
_NAMES = {"stop": "stop_sequences", "response_format": "output_config.format"}
_THINKING = ("thinking", "redacted_thinking")
_ANY_MESSAGES = [{"role": "user", "content": "Hi"}]
# Claude Code begins its system text with it, for Anthropic's servers.
_BILLING = "x-anthropic-billing-header"

_VERSION = b"anthropic-version"
# The newer version has fewer fields in requests, and the same ones in answers.
_SAME_ANSWERS = {b"2026-10-21": b"2023-06-01"}


def read(call: ApiCall) -> None:
    """Note in `call` what the host's translation would drop; refuse tools and reasoning.

    Raises:
        RequestError: the request has what no answer can honour.
    """
    refuse_tools(call.body)
    _check_objects(call.body)
    call.names = _NAMES
    # The host refuses the versions of newer clients.
    call.headers[:] = [
        (name, _SAME_ANSWERS.get(value, value) if name == _VERSION else value)
        for name, value in call.headers
    ]
    unread = {} if _reads_output_config() else ANTHROPIC_BEFORE_4_1
    read = _READ - unread.keys()
    call.options = {name: value for name, value in call.body.items() if name not in read}
    # It is in `options`, and the model refuses it with a sentence of its own.
    call.body.pop("thinking", None)
    refuse_unless_neutral(call, {**ANTHROPIC, **unread}, USE_CHAT)
    _read_messages(call)


def _reads_output_config() -> bool:
    protocol = importlib.import_module("xinference.api.protocols.anthropic")
    return hasattr(protocol.CanonicalChatRequest, "response_format")


def _check_objects(body: Mapping[str, Any]) -> None:
    for name, keys in _KEYS.items():
        check_keys(name, body.get(name), keys)
    if not isinstance(choice := body.get("tool_choice"), str):
        check_keys("tool_choice", choice, ("type", "name", "disable_parallel_tool_use"))
    config = body.get("output_config", {})
    check_keys("output_config.format", config.get("format"), ("type", "schema"))
    if config.get("effort") is not None:
        raise RequestError(
            "output_config.effort is not supported: the model does not reason; leave it out"
        )
    if config.get("format") is not None and body.get("output_format") is not None:
        raise RequestError("output_format stands beside output_config.format; give only one")


def _read_messages(call: ApiCall) -> None:
    """Note all messages: the host would move later system messages, and drop unknown keys."""
    if (system := call.body.get("system")) is not None:
        call.add_message("system", "system", _drop_foreign(system))
    messages = call.body.get("messages")
    if not isinstance(messages, list):
        raise RequestError(f"messages has to be a list, not {messages!r:.80}")
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if not isinstance(message, dict):
            raise RequestError(
                f"{place} has to be an object with a role and content, not {message!r:.80}"
            )
        refuse_blocks_of_tools(place, message.get("content"))
        content = _drop_foreign(message.get("content"))
        call.add_message(place, **{"role": None, **message, "content": content})


def _drop_foreign(content: Any) -> Any:
    """Remove the reasoning of other models, and text that is meant for Anthropic's servers."""
    if not isinstance(content, list):
        return content
    return [block for block in content if not (isinstance(block, dict) and _is_foreign(block))]


def _is_foreign(block: Mapping[str, Any]) -> bool:
    text = block.get("text")
    return block.get("type") in _THINKING or (isinstance(text, str) and text.startswith(_BILLING))


def keep_messages(protocol: ModuleType, parse: Callable[[Any], Any]) -> Any:
    """Let the host read all fields but the messages, which are handed over unchanged."""

    def parse_anthropic_request(raw: Any) -> Any:
        call = current_call()
        if call is None:
            return parse(raw)
        try:
            parsed = parse({**raw, "system": None, "messages": _ANY_MESSAGES})
            return dataclasses.replace(parsed, messages=call.messages)
        except (TypeError, AttributeError, KeyError) as error:
            # The host uses values before it checks their type.
            message = (
                f"a field of the request has a value of the wrong type ({error}); send fields as "
                "Anthropic's API has them"
            )
            raise protocol.AnthropicProtocolError(400, ERROR_TYPES[400], message) from None

    return parse_anthropic_request


def hand_over_options(translate: Callable[[Any], dict[str, Any]]) -> Any:
    """Let the host's translation hand over the fields that it would drop."""

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
    """Return the response to a refused request, in the form of this API."""
    request_id = request.headers.get("x-request-id") or f"req_{uuid.uuid4().hex}"
    return host.RESTfulAPI._anthropic_error(status, message, request_id, headers=headers)


def clean_errors(make: Callable[..., Any]) -> Any:
    """Keep the sentence and the status of an error that a model raises while it counts tokens."""

    def _anthropic_error(status: int, message: str, request_id: str, **options: Any) -> Any:
        call, cause = current_call(), sys.exc_info()[1]
        if call is not None:
            message = translate_fields(call, clean_message(message))
            log_refusal("An Anthropic request", call.body.get("model"), message)
        if isinstance(cause, OverloadedError):
            status = choose_status(cause)
        return make(status, message, request_id, **options)

    return _anthropic_error
