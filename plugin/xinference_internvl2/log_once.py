"""Logs a message once per process, however often its cause comes up."""

from __future__ import annotations

import functools
import logging

logger = logging.getLogger(__package__)


@functools.cache
def log_once(level: int, message: str) -> None:
    """Log `message` if this process has not logged it yet."""
    logger.log(level, message)
