"""A real cluster on this machine: a supervisor and workers, each with processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import psutil

from .host import BIN, START_SECONDS, Host, find_free_port


class Cluster(Host):
    """A supervisor, on which workers are started; all of it is stopped on exit.

    Attributes:
        addresses: of the workers, by the names that they were started with.
    """

    def __init__(self, home: Path, **environment: str) -> None:
        super().__init__(home, **environment)
        self.addresses: dict[str, str] = {}
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def _command(self, port: str) -> list[str | Path]:
        command = [BIN / "xinference-supervisor", "--host", "127.0.0.1", "--port", port]
        return [*command, "--supervisor-port", str(find_free_port())]

    def __exit__(self, *exception: object) -> None:
        for name in [*self._workers]:
            self.kill_worker(name)
        # The supervisor has a session of its own.
        processes = self.list_processes()
        super().__exit__(*exception)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def start_worker(self, name: str, **environment: str) -> None:
        """Start a worker with a home of its own."""
        port, home = str(find_free_port()), self.home / name
        home.mkdir()
        command = [BIN / "xinference-worker", "--endpoint", self.url, "--host", "127.0.0.1"]
        with (home / "worker.log").open("wb") as log:
            self._workers[name] = subprocess.Popen(
                [*command, "--worker-port", port],
                env={**self.environment, "XINFERENCE_HOME": str(home), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.addresses[name] = f"127.0.0.1:{port}"

    def kill_worker(self, name: str) -> None:
        """Kill a worker with the models that it runs."""
        process = self._workers.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def list_workers(self) -> set[str]:
        """The addresses of the workers that the supervisor has."""
        return {each["work-ip"] for each in self.get("/v1/workers")}

    def wait_for_workers(self) -> None:
        wait_until(lambda: self.list_workers() >= {*self.addresses.values()}, 2 * START_SECONDS)


def wait_until(done: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # The supervisor fails where a worker comes or goes while it lists them.
        with suppress(HTTPError):
            if done():
                return
        time.sleep(0.5)
    raise TimeoutError(f"it was not done in {seconds:.0f} s")
