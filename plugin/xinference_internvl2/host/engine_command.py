"""Lets `xinference engine` print engines that are not available, with the reason.

By itself it expects rows for every engine, and fails where there is a reason instead.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from ..patching import patch


def activate() -> bool:
    """Extend the command line of this process; True if this call was the one that did."""
    cmdline = importlib.import_module("xinference.deploy.cmdline")
    return patch(
        cmdline.RESTfulClient,
        "query_engine_by_model_name",
        _print_reasons,
        without="xinference engine may end in a TypeError; GET /v1/engines/NAME answers",
    )


def _print_reasons(query: Callable[..., dict[str, Any]]) -> Any:
    def query_engine_by_model_name(*args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the engines that are available, and print why others are not."""
        found = query(*args, **kwargs)
        for engine, reason in found.items():
            if isinstance(reason, str):
                print(f"{engine}: {reason}", file=sys.stderr)
        return {engine: rows for engine, rows in found.items() if not isinstance(rows, str)}

    return query_engine_by_model_name
