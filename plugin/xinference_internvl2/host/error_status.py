"""The status and the sentence of a refused request, and when to send it again, in every API."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from ..errors import OverloadedError, RequestError, one_sentence
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


def describe_invalid(error: Any) -> str:
    """Return a sentence on a validation error of the host: its first field, and what is wrong."""
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
