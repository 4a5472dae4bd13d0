"""OpenAI's error object, of a refused request and in a stream that has begun."""

from __future__ import annotations

from typing import Any

from .api_call import ApiCall
from .error_fields import find_field
from .error_status import ERROR_TYPES


def build_error(status: int, message: str, call: ApiCall) -> dict[str, Any]:
    """Return OpenAI's error object; Anthropic's is built in `anthropic_api`."""
    return {
        "message": message,
        "type": ERROR_TYPES.get(status, "server_error"),
        "param": find_field(call, message),
        "code": None,
    }
