"""What the host logs of a request that we refuse is dropped, and nothing else."""

from __future__ import annotations

import logging
import sys

import pytest

from xinference_internvl2.errors import RequestError
from xinference_internvl2.host.request_log import keep_record


@pytest.mark.parametrize(("error", "kept"), [(RequestError("no"), False), (ValueError("no"), True)])
def test_only_refusals_are_dropped(error: Exception, kept: bool) -> None:
    try:
        raise error
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), info)
    assert keep_record(record) is kept
    assert keep_record(logging.LogRecord("x", logging.ERROR, __file__, 1, "plain", (), None))
