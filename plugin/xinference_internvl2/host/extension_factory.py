"""Makes the object that `XINFERENCE_EXTENSIONS` names, the host's own way to load the plugin.

XINFERENCE_EXTENSIONS=xinference_internvl2.host.extension_factory:create
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .. import __version__
from .._autoload import HOST_MODULE
from ..families import records
from . import rest_api
from .activate import activate


class Extension:
    """The interface that the host expects of an extension; ours adds nothing but model families."""

    name = "xinference-internvl2"
    api_version = 1

    def configure_api(self, context: Any) -> None:
        """Extend the routes that answer requests to our families; add none."""
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
    """Activate the plugin, and return its extension; the host's catalog may be complete already."""
    host = importlib.import_module(HOST_MODULE)
    if activate():
        host.register_builtin_model()
    # The host takes its methods for the routes before it calls `configure_api`.
    if rest_api.HOST_MODULE in sys.modules:
        rest_api.activate()
    return Extension()
