"""OpenAI's chat completions and completions: options as they were sent, and readable errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .api_call import ApiCall, current_call
from .error_response import error_object
from .request_body import refuse_tools

_READ = {"model", "stream", "request_id", "cache_salt"}


def read_chat(host: ModuleType, call: ApiCall) -> None:
    """Take the options of a chat past the host; tools are refused here."""
    refuse_tools(call.body)
    _take_options(call, {*_READ, "messages"})


def read_completion(host: ModuleType, call: ApiCall) -> None:
    """Take the options of a completion past the host."""
    prompt = call.body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = call.body["prompt"] = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise RequestError("prompt has to be a string that is not empty; send one in a request")
    _take_options(call, {*_READ, "prompt"})


def _take_options(call: ApiCall, read: set[str]) -> None:
    """The host would drop some of them, and make numbers of what is none in others."""
    call.options = {name: value for name, value in call.body.items() if name not in read}
    for name in call.options:
        del call.body[name]
    # The host needs it for an abort, and the model for the name of its answer.
    if "request_id" in call.body:
        call.options["request_id"] = call.body["request_id"]


def hand_over_options(extract: Callable[..., dict[str, Any]]) -> Any:
    """The host asks here for the guided fields, which it hands over beside those of its schema."""

    def extract_guided_params(raw_body: dict[str, Any]) -> dict[str, Any]:
        found = extract(raw_body)
        call = current_call()
        if call is not None:
            found["extra_body"] = call.options
        return found

    return extract_guided_params


def refuse(
    host: ModuleType,
    request: Any,
    call: ApiCall,
    status: int,
    message: str,
    headers: Mapping[str, str] | None,
) -> Any:
    """An error as the host's clients read it in `detail`, and OpenAI's in `error`."""
    content = {"detail": message, "error": error_object(status, message, call)}
    return host.JSONResponse(content=content, status_code=status, headers=headers)
