"""What tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin import environment
from tests.plugin.environment import REPOSITORY


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a user gets it."""
    out = tmp_path_factory.mktemp("wheel")
    environment.uv("build", "--quiet", "--wheel", "--out-dir", str(out), str(REPOSITORY))
    return next(out.glob("*.whl"))
