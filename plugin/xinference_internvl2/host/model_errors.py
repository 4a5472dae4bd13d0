"""Keeps the errors that a model raises: the host would hide their sentence and their status.

In a stream that has begun the host writes such an error itself, and leaves the status out: it is
remembered here, in the `ApiCall`, and `event_stream` writes the error anew with it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..errors import OverloadedError, RequestError
from .api_call import current_call
from .error_message import clean_message
from .error_status import choose_status
from .model_availability import UnavailableError, connection_errors, unavailable
from .request_log import log_refusal


def raise_refusals(get: Callable[..., Any]) -> Any:
    """Raise our refusals where the host looks up an error of a model, before it hides it."""
    lost = connection_errors()

    async def get_model_last_error(api: Any, replica_uid: bytes, error: Exception) -> Any:
        # An error that the model itself has raised is wrapped.
        if isinstance(error, lost) and not hasattr(error, "__wrapped__"):
            error = unavailable(replica_uid.decode())
        if not isinstance(error, RequestError):
            return await get(api, replica_uid, error)
        kinds = (OverloadedError, UnavailableError, RequestError)
        kind = next(kind for kind in kinds if isinstance(error, kind))
        refusal = kind(clean_message(error))
        if current_call() is not None:
            raise refusal from None
        # The response has begun, so the host puts an error into it.
        log_refusal("The rest of a stream", replica_uid.decode(), str(refusal))
        return refusal

    return get_model_last_error


def keep_sentences(host: ModuleType, handle: Callable[..., None]) -> Any:
    """Keep the sentence of an error of ours for the client of a stream."""

    def handle_request_limit_error(error: Exception, **options: Any) -> None:
        call = current_call()
        if isinstance(error, RequestError):
            raise host.HTTPException(choose_status(error), clean_message(error))
        try:
            handle(error, **options)
        except host.HTTPException as known:
            if call is not None:
                call.status = known.status_code
            raise

    return handle_request_limit_error
