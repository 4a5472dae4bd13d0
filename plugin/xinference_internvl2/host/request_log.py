"""Logs a refused request in one line, in place of a traceback in every process."""

from __future__ import annotations

import logging

from ..errors import RequestError

logger = logging.getLogger(__name__)
LOGGERS = ("xinference.api.restful_api", "xinference.core.model")


def log_refusals_once() -> None:
    """Drop the host's log records of our refusals: the API's process logs each in one line."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(keep_record)


def keep_record(record: logging.LogRecord) -> bool:
    """Whether a log record is of anything but a refused request."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RequestError) or isinstance(record.msg, RequestError))


def log_refusal(where: str, model: object, message: str) -> None:
    """Say in one line of the log what is not answered, and why."""
    logger.warning("%s of model %s is refused: %s", where, model, message)
