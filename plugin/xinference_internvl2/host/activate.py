"""Activates the plugin in a process that has the host's models: installs all that extends them.

The import hook calls it, and `extension_factory`. The API, the supervisor and others have an
`activate()` of their own, named in `_autoload`.
"""

from __future__ import annotations

import importlib

from .._autoload import HOST_MODULE
from . import catalog, default_quantization, engine_query, only_our_loaders
from .request_log import log_refusals_once
from .version_check import warn_if_untested


def activate() -> bool:
    """Extend the host's models of this process; True if this call was the one that did.

    Our families join the catalog, with our loader classes. Only these launch our families, by
    default unquantized. The engine query gives reasons, and the log no tracebacks of our refusals.
    """
    host = importlib.import_module(HOST_MODULE)
    warn_if_untested()
    added = catalog.extend_catalog(host)
    if added:
        only_our_loaders.guard_launches(host.llm_family)
        default_quantization.choose_unquantized(host.llm_family)
        engine_query.add_reasons()
        log_refusals_once()
    return added
