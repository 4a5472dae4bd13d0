"""Tells whether the process of a model is running, and what to answer where it is not.

The host restarts the process of a model that was killed, and answers 500 in the meantime; what is
answered in its place is here.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from ..errors import RequestError

PROBE_SECONDS = 5
UNAVAILABLE = 503
"""The status of a request whose model is not running at the moment."""
_NO_CONNECTION = re.compile(r"\[Errno \d+\] Connect call failed|Remote server \S+ closed")


class UnavailableError(RequestError):
    """A request whose model is not running at the moment."""


async def describe_if_unavailable(api: Any, model_uid: str, message: str) -> str | None:
    """Return the sentence for an error of the host that means that a model is not running.

    Args:
        message: of the error.

    Returns:
        None if the error means something else.
    """
    missing = await _is_missing(api, model_uid, message)
    return describe_unavailable(model_uid) if missing else None


async def _is_missing(api: Any, model_uid: str, message: str) -> bool:
    # The message decides too, since with several replicas another one may be running.
    if _NO_CONNECTION.search(message):
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


def describe_unavailable(model_uid: object) -> str:
    """Return the sentence for a request to a model whose process has ended."""
    return (
        f"the process of model {str(model_uid)[:100]} has ended and is being started again; "
        "send the request again later"
    )
