"""The same message is logged once in a process."""

from __future__ import annotations

import logging

import pytest

from xinference_internvl2.log_once import log_once


def test_a_message_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        log_once(logging.WARNING, "said once")
    assert caplog.messages == ["said once"]
