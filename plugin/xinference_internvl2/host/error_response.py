"""How an error of ours reaches a client: its status, its sentence, and the object it stands in."""

from __future__ import annotations

import re
from typing import Any

from ..errors import OverloadedError, RequestError, one_sentence
from .api_call import ApiCall
from .model_availability import UnavailableError

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
RETRY_AFTER = {429: "1", 503: "10"}
"""Status → seconds: a place is soon free, a process takes a while to start."""

# The actor system puts its address before the message of an error that it hands on.
_ADDRESS = re.compile(r"\[address=[^\]]*\] ")
_FIELD = re.compile(r"([A-Za-z_]+)(?:[.\[][\w.\[\]]*)?")


def http_status(error: RequestError) -> int:
    """The status that tells a client whether to come again with the same request."""
    if isinstance(error, UnavailableError):
        return 503
    return 429 if isinstance(error, OverloadedError) else 400


def read_sentence(error: object) -> str:
    """The message of an error without what the actor system adds to it, as one sentence."""
    return one_sentence(_ADDRESS.sub("", str(getattr(error, "__wrapped__", error))))


def error_object(status: int, message: str, call: ApiCall) -> dict[str, Any]:
    """An error as OpenAI's clients read it; `param` is the field at fault where it is named."""
    found = _FIELD.match(message)
    named = found is not None and (found[1] in call.body or found[1] in call.options)
    return {
        "message": message,
        "type": ERROR_TYPES.get(status, "server_error"),
        "param": found[0].rstrip(".") if found and named else None,
        "code": None,
    }
