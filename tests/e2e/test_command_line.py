"""The command that the wheel installs, as a user calls it."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.host import BIN

pytestmark = pytest.mark.e2e


def test_demo() -> None:
    command = [BIN / "xinference-internvl2", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "✓ a red circle, a blue square and a green triangle" in done.stdout
    assert done.stdout.endswith("4 of 4 answers are right.\n")
