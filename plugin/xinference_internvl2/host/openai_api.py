"""OpenAI's chat completions and completions: keeps a request's options, and words its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .api_call import ApiCall, current_call
from .openai_error import build_error
from .refuse_tools import refuse_tools

_READ = {"model", "stream", "request_id", "cache_salt"}


def read_chat(call: ApiCall) -> None:
    """Note in `call` the options of a chat; refuse tools.

    Raises:
        RequestError: the request has tools.
    """
    refuse_tools(call.body)
    _take_options(call, {*_READ, "messages"})


def read_completion(call: ApiCall) -> None:
    """Note in `call` the options of a completion.

    Raises:
        RequestError: the prompt is no text.
    """
    prompt = call.body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = call.body["prompt"] = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise RequestError(
            f"prompt has to be a string that is not empty, not {prompt!r:.80}; send one a request"
        )
    _take_options(call, {*_READ, "prompt"})


def _take_options(call: ApiCall, read: set[str]) -> None:
    """Move the options from the body to `call`: the host would drop some, and convert others."""
    call.options = {name: value for name, value in call.body.items() if name not in read}
    for name in call.options:
        del call.body[name]
    # The host needs it for an abort, and the model for the name of its answer.
    if "request_id" in call.body:
        call.options["request_id"] = call.body["request_id"]


def hand_over_options(extract: Callable[..., dict[str, Any]]) -> Any:
    """Let the host hand over the options of `call` with the guided fields that it extracts."""

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
    """Return the response to a refused request, for the host's clients and for OpenAI's."""
    content = {"detail": message, "error": build_error(status, message, call)}
    return host.JSONResponse(content=content, status_code=status, headers=headers)
