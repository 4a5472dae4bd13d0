"""Answers that nobody reads pause, and requests share a prefix cache by their `cache_salt`."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.tiny import make_checkpoint

from .conftest import printed
from .processes.unread_answers import TOKENS

pytestmark = pytest.mark.host
MAX_AHEAD = 128


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("steps")
    path = make_checkpoint(folder / "checkpoint", backbone="qwen2", dtype="float32")
    environment = {"XINFERENCE_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "tests.engines.processes.unread_answers", path]
    found: dict[str, Any] = printed(command, "steps:", environment)
    return found


def test_what_nobody_reads_is_not_written_and_keeps_nobody_waiting(
    steps: dict[str, Any],
) -> None:
    assert steps["unread"] == [MAX_AHEAD, TOKENS]


def test_only_who_has_the_same_salt_is_not_read_again(steps: dict[str, Any]) -> None:
    """Without one, the system text is known from the requests before, and the question is not."""
    first, again, another, without = steps["left"]
    assert again == 1 < without < first == another


def test_a_launch_sets_how_many_answers_there_are_at_once(steps: dict[str, Any]) -> None:
    assert steps["choices"] == 2
    assert steps["refusal"].startswith("n 3 is more than the 2 answers that are written at once; ")
