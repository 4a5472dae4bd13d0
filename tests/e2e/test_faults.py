"""What clients get when something breaks, and that they are answered as before afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from xinference.client import RESTfulClient

from tests.shapes.chats import CHECKPOINT
from tests.support.chat.media import user
from tests.support.host import Host
from tests.support.served import READY_SECONDS, Served, request_launch

pytestmark = pytest.mark.e2e
QUESTION = user("What can you do?")
UNQUANTIZED = {"model_size_in_billions": 1, "model_format": "pytorch", "quantization": "none"}


def process_of(model: Served) -> int:
    """The process of a model, by the port that it listens to."""
    address = model.host.get(f"/v1/models/{model.uid}")["address"]
    port = int(address.rsplit(":", 1)[1])
    listening = [each for each in psutil.net_connections("tcp") if each.status == "LISTEN"]
    (process,) = {each.pid for each in listening if each.laddr.port == port}
    return int(process)


def text(model: Served) -> str:
    return str(model.chat(QUESTION, temperature=0).choices[0].message.content)


def is_told_to_come_again(error: openai.APIStatusError) -> bool:
    return error.status_code == 503 and "retry-after" in error.response.headers


def ask_until_answered(model: Served, seconds: float = READY_SECONDS) -> str:
    """The first answer; until then every client is told to come again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return text(model)
        except openai.APIStatusError as error:
            if not is_told_to_come_again(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_a_killed_model_is_started_again(served: Served) -> None:
    right = text(served)
    options: dict[str, Any] = {"max_tokens": 4000, "extra_body": {"ignore_eos": True}}
    with ThreadPoolExecutor() as threads:
        stream = served.chat(QUESTION, stream=True, **options)
        asked = threads.submit(served.chat, QUESTION, **options)
        next(stream)
        process = psutil.Process(process_of(served))
        others = process.children(recursive=True)
        process.kill()
        streamed = threads.submit(list, stream).exception()
        error = asked.exception()
    # Before anything is asserted, since other tests use the model too.
    answer = ask_until_answered(served)
    assert isinstance(streamed, openai.APIError)
    assert "has ended and is being started again" in str(streamed)
    assert isinstance(error, openai.APIStatusError)
    assert is_told_to_come_again(error)
    assert answer == right
    assert psutil.wait_procs(others, timeout=30)[1] == []


def test_a_deleted_checkpoint(host: Host, tmp_path: Path) -> None:
    """It is in memory. Only a process that is started again needs the files."""
    model = Served(host, "deleted", tmp_path / "checkpoint")
    options: dict[str, Any] = {**UNQUANTIZED, "model_engine": "Transformers"}
    shutil.copytree(CHECKPOINT, model.checkpoint)
    request_launch(host, model.uid, model_path=str(model.checkpoint), **options)
    right = text(model)
    shutil.rmtree(model.checkpoint)
    assert text(model) == right
    os.kill(process_of(model), signal.SIGKILL)
    with pytest.raises(openai.NotFoundError):
        ask_until_answered(model)
    shutil.copytree(CHECKPOINT, model.checkpoint)
    request_launch(host, model.uid, model_path=str(model.checkpoint), **options)
    assert text(model) == right
    RESTfulClient(host.url).terminate_model(model.uid)
