"""What tests of several folders share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.install import environment
from tests.install.environment import REPOSITORY

WITH_THEIR_OWN_SERVERS = {
    f"tests/e2e/test_{name}.py" for name in ("cluster", "command_line", "finetuned", "readme")
}


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each folder, whose tests share servers and environments, to one worker.

    Unit tests share nothing, so they go to any worker by the file, as do files with servers of
    their own.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, *_ = nodeid.split("::")
        folder = file.split("/")[1]
        return file if folder == "unit" or file in WITH_THEIR_OWN_SERVERS else folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    return FolderScheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--distributions", type=Path, help="the sdist and wheel to test, in a folder")


@pytest.fixture(scope="session")
def distributions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that is built from it."""
    given: Path | None = request.config.getoption("--distributions")
    if given:
        return given.resolve()
    out = tmp_path_factory.mktemp("distributions")
    environment.uv("build", "--quiet", "--out-dir", str(out), str(REPOSITORY))
    return out


@pytest.fixture(scope="session")
def sdist(distributions: Path) -> Path:
    return next(distributions.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    """The wheel as a user gets it."""
    return next(distributions.glob("*.whl"))
