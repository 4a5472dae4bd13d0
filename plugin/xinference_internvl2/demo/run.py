"""`demo`: starts a server with the tiny model, asks it about pictures, and stops the server.

It is what the wheel brings, with its own pictures alone. `make demo` of a checkout, in
`tests/tools/demo.py`, draws new ones and a video, and takes models of the hub too.
"""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .files import CHECKPOINT, PICTURES
from .questions import QUESTIONS, Question

BIN = Path(sys.executable).parent
UID = "internvl2-demo"
START_SECONDS, LAUNCH_SECONDS, STOP_SECONDS = 120, 600, 30


def run(engine: str) -> int:
    """Ask every question and print the answers; return the exit status, 0 if all are right.

    Raises:
        CheckpointError: the server does not start, or the model cannot be launched.
    """
    with (
        tempfile.TemporaryDirectory(prefix="internvl2-demo-") as folder,
        _run_server(folder) as server,
    ):
        url, environment = server
        _launch(engine, url, environment)
        answers = [_ask(url, question) for question in QUESTIONS]
    wrong = sum(not right for right in answers)
    print(f"\n{len(answers) - wrong} of {len(answers)} answers are right.")
    return 1 if wrong else 0


@contextmanager
def _run_server(folder: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Run a server in the body; yield its URL, and the environment for the commands that use it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    own = {"XINFERENCE_HOME": folder, "XINFERENCE_AUTH_ADVANCED": "0"}
    environment = {**os.environ, **own}
    command = [str(BIN / "xinference-local"), "--host", "127.0.0.1", "--port", port]
    print(f"XINFERENCE_AUTH_ADVANCED=0 xinference-local --port {port}", flush=True)
    log = Path(folder, "server.log")
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}", environment
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    import requests

    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(requests.RequestException):
            if requests.get(f"{url}/v1/models", timeout=10).ok:
                return
        time.sleep(0.5)
    end = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
    raise CheckpointError(f"xinference-local did not start; its log ends with: {' '.join(end)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        # The session is the server's own, with every process that it started.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _launch(engine: str, url: str, environment: Mapping[str, str]) -> None:
    words = ["--model-engine", engine, "--model-name", "internvl2", "--size-in-billions", "1"]
    words += ["--model-format", "pytorch", "--quantization", "none"]
    words += ["--model-path", str(CHECKPOINT), "--model-uid", UID]
    print(f"xinference launch {' '.join(words)}", flush=True)
    command = [str(BIN / "xinference"), "launch", "--endpoint", url, *words]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LAUNCH_SECONDS
    )
    if done.returncode:
        end = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise CheckpointError(
            f"the demo's model could not be launched on {engine}: {' '.join(end)}; "
            "run xinference-internvl2 doctor"
        )


def _ask(url: str, question: Question) -> bool:
    """Print a question and its answer, and return whether the answer is right."""
    import openai

    # vLLM counts as launched while its engine still starts, and answers 503 until it has.
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=600, max_retries=60)
    content = [*map(_build_part, question.pictures), {"type": "text", "text": question.text}]
    messages: Any = [{"role": "user", "content": content}]
    done = client.chat.completions.create(model=UID, messages=messages, max_tokens=32)
    answer = done.choices[0].message.content or ""
    right = answer == question.answer
    names = ", ".join(str(PICTURES / name) for name in question.pictures)
    print(f"\n{names}\n  {question.text}\n  {'✓' if right else '✗'} {answer}", flush=True)
    return right


def _build_part(name: str) -> dict[str, Any]:
    encoded = base64.b64encode((PICTURES / name).read_bytes()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
