"""A real `xinference-local` on a free port, driven by the real command line."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

BIN = Path(sys.executable).parent
START_SECONDS = 120
STOP_SECONDS = 30
CLI_SECONDS = 300


def find_package() -> Path:
    """The directory of the installed host, found without importing it, which takes seconds."""
    spec = importlib.util.find_spec("xinference")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Host:
    """Starts the server on entry, and stops everything that it started on exit."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.log = home / "server.log"
        self.url = f"http://127.0.0.1:{find_free_port()}"
        # A library of AWQ sets them in this process, to folders that outlive it.
        known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        self.environment: Mapping[str, str] = {
            **known,
            "XINFERENCE_HOME": str(home),
            "XINFERENCE_AUTH_ADVANCED": "0",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Host:
        self.home.mkdir(parents=True, exist_ok=True)
        port = self.url.rsplit(":", 1)[1]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(port),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _command(self, port: str) -> list[str | Path]:
        return [BIN / "xinference-local", "--host", "127.0.0.1", "--port", port]

    def __exit__(self, *exception: object) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        # The session is ours, so whatever is left of it is what this server started.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"xinference-local ended at its start; see {self.log}")
            try:
                self.get("/v1/models")
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        raise RuntimeError(f"xinference-local was not ready in {START_SECONDS} s; see {self.log}")

    def list_processes(self) -> list[psutil.Process]:
        """Those of the server and of the models that it runs, if it runs."""
        if self._process is None or self._process.poll() is not None:
            return []
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def count_virtual_environments(self) -> int:
        """How many launches so far got a virtual environment, a new one or one that was there."""
        return self.log.read_text(errors="replace").count(" Installing packages [")

    def get(self, path: str) -> Any:
        """The parsed answer of the server to a GET of `path`."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as response:
            return json.load(response)

    def cli(
        self, *words: str, seconds: float = CLI_SECONDS, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `xinference WORDS` against this server, with a user who types `typed`."""
        command, *rest = words
        return subprocess.run(
            [BIN / "xinference", command, "--endpoint", self.url, *rest],
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
