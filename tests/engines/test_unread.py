"""On Transformers an answer is written ahead of its reader by no more than some tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.environment import REPOSITORY
from tests.tiny import make_checkpoint

from .unread import TOKENS

AHEAD = 128


@pytest.mark.host
def test_what_nobody_reads_is_not_written_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "checkpoint", backbone="qwen2", dtype="float32")
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.unread", str(checkpoint)],
        cwd=REPOSITORY,
        env={**os.environ, "XINFERENCE_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("written:"))
    assert json.loads(line.removeprefix("written:")) == [AHEAD, TOKENS]
