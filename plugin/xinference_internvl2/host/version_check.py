"""The versions of Xinference that the plugin was tested with, and a warning on others."""

from __future__ import annotations

import importlib
import logging

from .. import __version__
from ..log_once import log_once

TESTED_HOSTS = ("4.0.0", "4.0.1", "4.1.0")


def warn_if_untested() -> None:
    """Log once that this Xinference is another than the tested ones, if it is."""
    if read_host_version() not in TESTED_HOSTS:
        log_once(
            logging.WARNING,
            f"xinference-internvl2 {__version__} was tested with xinference"
            f" {', '.join(TESTED_HOSTS)}, not with {read_host_version()}; it goes on, but install a"
            " tested version if a model of its families misbehaves.",
        )


def read_host_version() -> str:
    """Return the version of the installed Xinference, without what a build adds to it."""
    version = getattr(importlib.import_module("xinference"), "__version__", "(unknown version)")
    return str(version).partition("+")[0]
