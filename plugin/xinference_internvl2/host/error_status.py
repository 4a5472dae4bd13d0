"""The HTTP status of a refused request, and when to send it again, in every API."""

from __future__ import annotations

from collections.abc import MutableMapping

from ..errors import OverloadedError, RequestError
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


def choose_status(error: RequestError) -> int:
    """Return the HTTP status of an error, which tells a client whether to retry."""
    if isinstance(error, UnavailableError):
        return UNAVAILABLE
    return 429 if isinstance(error, OverloadedError) else 400


def add_retry_after(status: int, headers: MutableMapping[str, str]) -> None:
    """Say in the headers of a response when to send the request again, unless they do."""
    if status in _RETRY_AFTER:
        headers.setdefault("Retry-After", _RETRY_AFTER[status])
