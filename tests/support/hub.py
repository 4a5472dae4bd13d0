"""A server on this machine that speaks the protocol of the Hugging Face hub, with its faults."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

COMMIT = "5" * 40
_REVISION = re.compile(r"/api/models/([^/]+/[^/]+)/revision/[^/]+")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)")


class Hub:
    """Serves folders as repositories.

    Attributes:
        repositories: id → folder.
        cut: a file of which only half arrives before the connection ends; None for none.
        held: a file whose second half waits until `go_on` is set; None for none.
        offsets: file → where each answered request for it began, in bytes.
    """

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.cut: str | None = None
        self.held: str | None = None
        self.go_on = threading.Event()
        self.offsets: dict[str, list[int]] = {}
        hub = self

        class Handler(_Handler):
            def __init__(self, *arguments: Any) -> None:
                self.hub = hub
                super().__init__(*arguments)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        if self.path == "/":
            self._answer(200, b"")
        else:
            self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        if found := _REVISION.fullmatch(path):
            self._describe(found[1])
        elif found := _FILE.fullmatch(path):
            self._send(found[1], found[2])
        else:
            self._answer(404, b"")

    def _describe(self, repository: str) -> None:
        folder = self.hub.repositories.get(repository)
        if folder is None:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
            return
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        siblings = [{"rfilename": str(file.relative_to(folder))} for file in files]
        found = {"id": repository, "sha": COMMIT, "siblings": siblings}
        self._answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def _send(self, repository: str, name: str) -> None:
        data = (self.hub.repositories[repository] / name).read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        start, status = 0, 200
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start, status = int(found[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if self.command == "GET":
            self.hub.offsets.setdefault(name, []).append(start)
        self._answer(status, data[start:], headers, name)

    def _answer(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, name: str = ""
    ) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(data) // 2
        self.wfile.write(data[:half])
        self.wfile.flush()
        if name and name == self.hub.cut:
            self.close_connection = True
            return
        if name and name == self.hub.held:
            self.hub.go_on.wait(60)
        self.wfile.write(data[half:])

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet."""
