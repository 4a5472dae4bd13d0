"""A failed launch ends with the command that tells everything about the checkpoint."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.launch_errors import point_to_doctor


def test_the_command_follows_the_sentence_and_can_be_pasted() -> None:
    path = Path("/models/my model")
    with pytest.raises(CheckpointError) as caught, point_to_doctor(path):
        raise CheckpointError("config.json is missing; download it")
    sentence, _, command = str(caught.value).rpartition(": ")
    assert sentence == "config.json is missing; download it. All that is wrong with it"
    assert shlex.split(command) == ["xinference-internvl2", "doctor", str(path)]


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(OSError, match=r"^x$"), point_to_doctor("/models"):
        raise OSError("x")
