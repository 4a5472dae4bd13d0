"""OpenAI's chat completions and completions: options as they were sent, and readable errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .door import Door, current_door, error_object, refuse_tools

_READ = {"model", "stream", "request_id", "cache_salt"}


def read_chat(host: ModuleType, door: Door) -> None:
    """Take the options of a chat past the host; tools are refused here."""
    refuse_tools(door.body)
    _take_options(door, {*_READ, "messages"})


def read_completion(host: ModuleType, door: Door) -> None:
    """Take the options of a completion past the host."""
    prompt = door.body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = door.body["prompt"] = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise RequestError("prompt has to be a string that is not empty; send one in a request")
    _take_options(door, {*_READ, "prompt"})


def _take_options(door: Door, read: set[str]) -> None:
    """The host would drop some of them, and make numbers of what is none in others."""
    door.options = {name: value for name, value in door.body.items() if name not in read}
    for name in door.options:
        del door.body[name]
    # The host needs it for an abort, and the model for the name of its answer.
    if "request_id" in door.body:
        door.options["request_id"] = door.body["request_id"]


def hand_over_options(extract: Callable[..., dict[str, Any]]) -> Any:
    """The host asks here for the guided fields, which it hands over beside those of its schema."""

    def extract_guided_params(raw_body: dict[str, Any]) -> dict[str, Any]:
        found = extract(raw_body)
        door = current_door()
        if door is not None:
            found["extra_body"] = door.options
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
