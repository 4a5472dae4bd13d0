"""Builds the response to a refused request: its status, its sentence, and OpenAI's error object."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from ..errors import OverloadedError, RequestError, one_sentence
from .api_call import ApiCall
from .model_availability import UNAVAILABLE, UnavailableError

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_RETRY_AFTER = {429: "1", UNAVAILABLE: "10"}
"""Status → seconds: memory is soon free, but a process takes a while to start."""

# The actor system puts an address before the message of an error.
_ADDRESS = re.compile(r"\[address=[^\]]*\] ")
_FIELD = re.compile(r"([A-Za-z_]+)(?:[.\[][\w.\[\]]*)?")


def choose_status(error: RequestError) -> int:
    """Return the HTTP status of an error, which tells a client whether to retry."""
    if isinstance(error, UnavailableError):
        return UNAVAILABLE
    return 429 if isinstance(error, OverloadedError) else 400


def add_retry_after(status: int, headers: MutableMapping[str, str]) -> None:
    """Say in the headers of a response when to send the request again, unless they do."""
    if status in _RETRY_AFTER:
        headers.setdefault("Retry-After", _RETRY_AFTER[status])


def clean_message(error: object) -> str:
    """Return the message of an error as one sentence, without what the actor system adds."""
    return one_sentence(_ADDRESS.sub("", str(getattr(error, "__wrapped__", error))))


def build_error(status: int, message: str, call: ApiCall) -> dict[str, Any]:
    """Return OpenAI's error object; `param` is the field with which `message` begins, if any."""
    found = _FIELD.match(message)
    named = found is not None and (found[1] in call.body or found[1] in call.options)
    return {
        "message": message,
        "type": ERROR_TYPES.get(status, "server_error"),
        "param": found[0].rstrip(".") if found and named else None,
        "code": None,
    }
