"""Tells whether the process of a model is running, and what to answer where it is not.

The host restarts the process of a model that was killed, and answers 500 in the meantime; what is
answered in its place is here.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from typing import Any

from ..errors import RequestError

PROBE_SECONDS = 5
UNAVAILABLE = 503
"""The status of a request whose model is not running at the moment."""
_GONE = re.compile(
    r"\[Errno \d+\] Connect call failed|Remote server \S+ closed|Model \S+ is in stopping state"
)


class UnavailableError(RequestError):
    """A request whose model is not running at the moment."""


async def raise_if_unavailable(api: Any, model_uid: str, message: str) -> None:
    """Raise UnavailableError if an error of the host means that a model is not running.

    Args:
        message: of the error.
    """
    if await _is_missing(api, model_uid, message):
        raise unavailable(model_uid)


async def _is_missing(api: Any, model_uid: str, message: str) -> bool:
    # The message decides too, since by now the model, or another replica of it, may be running.
    if _GONE.search(message):
        return True
    supervisor = await api._get_supervisor_ref()
    if not await supervisor.get_instance_info(None, model_uid):
        return False
    try:
        model = await supervisor.get_model(model_uid)
        await asyncio.wait_for(model.is_vllm_backend(), PROBE_SECONDS)
    except Exception:
        return True
    return False


def connection_errors() -> tuple[type[Exception], ...]:
    """Return the errors of the host when the process that it asks is not there."""
    return OSError, importlib.import_module("xoscar").ServerClosed


def unavailable(model_uid: object) -> UnavailableError:
    """Return the error of a request to a model whose process has ended."""
    return UnavailableError(
        f"the process of model {str(model_uid)[:100]} has ended and is being started again; "
        "send the request again later"
    )
