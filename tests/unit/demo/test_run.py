"""What the demo says where a server does not start, or a model cannot be launched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("requests")

from xinference_internvl2.demo import run
from xinference_internvl2.errors import CheckpointError


def write_command(folder: Path, name: str, text: str) -> Path:
    command = folder / name
    command.write_text(f"#!/bin/sh\n{text}\n")
    command.chmod(0o755)
    return command


@pytest.mark.parametrize(
    ("printed", "end"), [("first\\nlast\\n\\n", "last"), ("only", "only"), ("", "")]
)
def test_a_server_that_ends_leaves_its_last_line(tmp_path: Path, printed: str, end: str) -> None:
    log = tmp_path / "server.log"
    command = write_command(tmp_path, "server", f"printf '{printed}'; exit 3")
    with log.open("wb") as file:
        process = subprocess.Popen([command], stdout=file)
    process.wait(10)
    with pytest.raises(CheckpointError) as caught:
        run._wait_until_ready(process, "http://127.0.0.1:1", log)
    assert str(caught.value) == f"xinference-local did not start; its log ends with: {end}".strip()


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("echo printed; echo first >&2; echo last >&2; exit 1", "last"),
        ("echo first; echo last; exit 1", "last"),
    ],
)
def test_a_launch_that_fails_leaves_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, end: str
) -> None:
    write_command(tmp_path, "xinference", script)
    monkeypatch.setattr(run, "BIN", tmp_path)
    with pytest.raises(CheckpointError) as caught:
        run._launch("vLLM", "http://127.0.0.1:1", {"PATH": "/bin:/usr/bin"})
    assert str(caught.value) == (
        f"the demo's model could not be launched on vLLM: {end}; run xinference-internvl2 doctor"
    )
    write_command(tmp_path, "xinference", "exit 0")
    run._launch("vLLM", "http://127.0.0.1:1", {"PATH": "/bin:/usr/bin"})
