"""vLLM in processes of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.install import environment
from tests.install.environment import REPOSITORY, Environment

needs_vllm = pytest.mark.skipif(
    not importlib.util.find_spec("vllm"),
    reason="vLLM is not installed; `make test` installs its CPU build",
)


@pytest.fixture(scope="session")
def without_host(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that has our wheel and vLLM, but no Xinference."""
    made = environment.create(tmp_path_factory.mktemp("vllm") / "venv")
    environment.show_packages_without(made, "xinference")
    environment.install(made, wheel)
    return made


def offline(
    jobs: list[dict[str, Any]], python: Path = Path(sys.executable)
) -> list[list[dict[str, Any]]]:
    """What vLLM's `LLM` answers; see `processes/vllm_answers.py`."""
    environment = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    command = [python, "-m", "tests.engines.processes.vllm_answers"]
    answers: list[list[dict[str, Any]]] = printed(
        command, "answers:", environment, json.dumps(jobs), 1200
    )
    return answers


def printed(
    command: list[str | Path],
    label: str,
    environment: dict[str, str],
    given: str = "",
    timeout: int = 300,
) -> Any:
    """The JSON that a process prints behind `label`, among what libraries print."""
    done = subprocess.run(
        command,
        input=given,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(label))
    return json.loads(line.removeprefix(label))
