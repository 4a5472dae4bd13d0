"""The host's official way to load the plugin.

XINFERENCE_EXTENSIONS=xinference_internvl2.host.extension:create
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .. import __version__
from .._autoload import HOST_MODULE
from ..families import records
from . import rest_api
from .catalog import activate


class Extension:
    """What the host expects of an extension; ours adds model families and nothing else."""

    name = "xinference-internvl2"
    api_version = 1

    def configure_api(self, context: Any) -> None:
        """Add no route, but refuse bad requests to our families with a 400 that says why."""
        rest_api.activate()

    def worker_metadata(self) -> dict[str, Any]:
        """Tell the supervisor which version of the plugin this worker runs."""
        return {"version": __version__, "model_families": sorted(records.load_runtimes())}

    def filter_worker_resources(
        self, worker: dict[str, Any], workers: list[dict[str, Any]]
    ) -> list[int]:
        """Allow every device of the worker."""
        return list(worker["gpu_devices"])

    def control_operation(self, operation: str, payload: dict[str, Any]) -> Any:
        """Refuse: there is nothing to control."""
        raise ValueError(
            f"The extension {self.name} has no operation {operation!r}; it needs none."
        )


def create() -> Extension:
    """Activate the plugin; the host calls this when its catalog may be complete already."""
    host = importlib.import_module(HOST_MODULE)
    if activate():
        host.register_builtin_model()
    # The host takes its methods for the routes before it calls `configure_api`.
    if rest_api.HOST_MODULE in sys.modules:
        rest_api.activate()
    return Extension()
