"""Let the host's API answer 400 with our sentence where a request is at fault.

Without this, the host hides every failure of a chat behind a 500 without a reason.
"""

from __future__ import annotations

import functools
import importlib
import logging
from typing import Any

from .errors import RequestError

HOST_MODULE = "xinference.api.restful_api"
PATCH_POINT = "handle_request_limit_error"

logger = logging.getLogger(__package__)


def activate() -> bool:
    """Teach the API of this process our errors; True if this call was the one that did."""
    host = importlib.import_module(HOST_MODULE)
    api = getattr(host, "RESTfulAPI", None)
    handle = getattr(api, PATCH_POINT, None)
    if api is None or not callable(handle):
        logger.warning(
            "xinference has no %s.RESTfulAPI.%s, so bad requests to our model families are"
            " answered 500 instead of 400; use a version that the plugin was tested with.",
            HOST_MODULE,
            PATCH_POINT,
        )
        return False
    if hasattr(handle, "_xinference_internvl2"):
        return False

    @functools.wraps(handle)
    def handle_request_limit_error(error: Exception, **options: Any) -> None:
        if isinstance(error, RequestError):
            # The actor system puts its address before the message of what it wraps.
            sentence = str(getattr(error, "__wrapped__", error))
            raise host.HTTPException(status_code=400, detail=sentence)
        handle(error, **options)

    handle_request_limit_error._xinference_internvl2 = True  # type: ignore[attr-defined]
    setattr(api, PATCH_POINT, staticmethod(handle_request_limit_error))
    return True
