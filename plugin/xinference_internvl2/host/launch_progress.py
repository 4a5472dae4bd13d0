"""Reports how far a model is loaded; by itself Xinference shows 82 % until it is ready.

The process of a model has a tracker of the launch, but does not give it to the loader. Here, a
loader with a `set_progress_listener` reports to it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable
from typing import Any

from ..patching import patch

START = 0.82
"""The part of a launch that Xinference has done when it calls the loader."""
SECONDS = 5

logger = logging.getLogger(__package__)


def activate() -> bool:
    """Extend the process of a model; True if this call was the one that did."""
    model = importlib.import_module("xinference.core.model")
    return patch(
        model.ModelActor,
        "load",
        _report_loading,
        without="a launch shows 82 % until the model is loaded",
    )


def _report_loading(load: Callable[..., Any]) -> Any:
    async def load_and_report(actor: Any) -> Any:
        listen = getattr(actor._model, "set_progress_listener", None)
        if listen is not None:
            await _listen(actor, listen)
        return await load(actor)

    return load_and_report


async def _listen(actor: Any, listen: Callable[[Any], None]) -> None:
    try:
        tracker = await actor._get_progress_tracker_ref()
    except Exception as error:
        logger.warning("The progress of loading is not shown: %s", error)
        return
    loop, launch = asyncio.get_running_loop(), f"launching-{actor._replica_model_uid}"

    def report(done: float, stage: str) -> None:
        """Send the progress; the loader calls this on a thread of its own."""
        sent = tracker.set_progress(launch, START + (1 - START) * done, stage)
        try:
            asyncio.run_coroutine_threadsafe(sent, loop).result(SECONDS)
        except Exception as error:
            listen(None)
            logger.warning("The progress of loading is not shown: %s", error)

    listen(report)
