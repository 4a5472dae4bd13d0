"""OpenAI's error object; Anthropic's is built in `anthropic_api`."""

from __future__ import annotations

import re
from typing import Any

from .api_call import ApiCall
from .error_status import ERROR_TYPES

_FIELD = re.compile(r"([A-Za-z_]+)(?:[.\[][\w.\[\]]*)?")


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
