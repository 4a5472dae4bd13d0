"""What tests of several folders share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.plugin import environment
from tests.plugin.environment import REPOSITORY


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each folder, whose tests share servers and environments, to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        _, folder, *_ = nodeid.split("/")
        return folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    return FolderScheduling(config, log)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a user gets it."""
    out = tmp_path_factory.mktemp("wheel")
    environment.uv("build", "--quiet", "--wheel", "--out-dir", str(out), str(REPOSITORY))
    return next(out.glob("*.whl"))
