"""Launches our models only on workers of a cluster that have the plugin.

The host takes the emptiest worker, which answers "Model not found" where there is no plugin.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from ..errors import join_names
from ..families import records
from ..patching import patch
from .our_families import is_our_family


def activate() -> bool:
    """Extend the supervisor of this process; True if this call was the one that did."""
    supervisor = importlib.import_module("xinference.core.supervisor")
    return patch(
        supervisor.SupervisorActor,
        "launch_builtin_model",
        _choose_workers,
        without="a launch on a worker without the plugin says that the model is not found",
    )


def _choose_workers(launch: Callable[..., Any]) -> Any:
    signature = inspect.signature(launch)

    async def launch_builtin_model(supervisor: Any, *args: Any, **kwargs: Any) -> Any:
        call = signature.bind(supervisor, *args, **kwargs)
        if not supervisor.is_local_deployment():
            await _leave_out_workers(supervisor, call.arguments)
        return await launch(*call.args, **call.kwargs)

    return launch_builtin_model


async def _leave_out_workers(supervisor: Any, asked: dict[str, Any]) -> None:
    """Restrict a launch of one of our models to the workers that have the plugin.

    Raises:
        ValueError: there are too few of them.
    """
    name, where = asked["model_name"], asked.get("worker_ip")
    workers = supervisor._worker_address_to_worker
    addresses = supervisor._resolve_worker_addresses(where) if where else list(workers)
    able, unable = await _split_workers({address: workers[address] for address in addresses}, name)
    if not unable or not (able or name in records.load_runtimes()):
        return
    needed = asked.get("n_worker") or 1
    if len(able) < int(needed):
        raise ValueError(
            f"{name} needs the plugin xinference-internvl2 on {needed} workers, and the workers "
            f"{join_names(unable)} lack it; install it there and start them again"
        )
    asked["worker_ip"] = able


async def _split_workers(workers: dict[str, Any], name: str) -> tuple[list[str], list[str]]:
    """Return the addresses of the workers that know a family as one of ours, and of the others."""
    asked = [worker.get_model_registration("LLM", name) for worker in workers.values()]
    found = await asyncio.gather(*asked, return_exceptions=True)
    families = dict(zip(workers, found, strict=True))
    able = [
        address
        for address, family in families.items()
        if not isinstance(family, BaseException) and is_our_family(family)
    ]
    return able, [address for address in families if address not in able]
