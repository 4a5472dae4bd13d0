"""What clients get when something breaks, and that they are answered as before afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from xinference.client import RESTfulClient

from tests.chat.media import user
from tests.shapes.chats import CHECKPOINT
from tests.support.cluster import Cluster, wait_until
from tests.support.host import Host

from .conftest import READY_SECONDS, Served, request_launch

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
    options: dict[str, Any] = {"max_tokens": 900, "extra_body": {"ignore_eos": True}}
    with ThreadPoolExecutor() as threads:
        stream = served.chat(QUESTION, stream=True, **options)
        asked = threads.submit(served.chat, QUESTION, **options)
        next(stream)
        process = psutil.Process(process_of(served))
        others = process.children(recursive=True)
        process.kill()
        with pytest.raises(openai.APIError, match="has ended and is being started again"):
            list(stream)
        error = asked.exception()
    assert isinstance(error, openai.APIStatusError)
    assert is_told_to_come_again(error)
    assert ask_until_answered(served) == right
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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, and a third that lacks the plugin; one that is gone is soon left out."""
    often = {"XINFERENCE_HEALTH_CHECK_INTERVAL": "1"}
    with Cluster(tmp_path_factory.mktemp("cluster"), **often) as cluster:
        cluster.start_worker("lacking", XINFERENCE_INTERNVL2_AUTOLOAD="0")
        cluster.start_worker("first")
        cluster.start_worker("second")
        cluster.wait_for_workers()
        yield cluster


def launch_on(cluster: Cluster, uid: str, **options: Any) -> Served:
    words = {**UNQUANTIZED, "model_engine": "Transformers", "model_path": str(CHECKPOINT)}
    request_launch(cluster, uid, **words, **options)
    return Served(cluster, uid, CHECKPOINT)


def test_a_worker_without_the_plugin_is_named(cluster: Cluster) -> None:
    lacking = cluster.addresses["lacking"]
    with pytest.raises(RuntimeError) as caught:
        launch_on(cluster, "lacking", worker_ip=lacking)
    sentence = f"on 1 workers, and the workers {lacking} lack it; install it there and start them"
    assert sentence in str(caught.value)
    with pytest.raises(RuntimeError, match=f"on 3 workers, and the workers {lacking} lack it"):
        launch_on(cluster, "three", n_worker=3)


def test_a_model_of_transformers_is_not_spread_over_workers(cluster: Cluster) -> None:
    with pytest.raises(RuntimeError, match="the Transformers engine serves a model on one worker"):
        launch_on(cluster, "two", n_worker=2)


def test_replicas_are_on_the_workers_with_the_plugin_and_one_is_killed(cluster: Cluster) -> None:
    model = launch_on(cluster, "replicas", replica=2)
    first, second = cluster.addresses["first"], cluster.addresses["second"]
    replicas = cluster.get("/v1/models/replicas/replicas")
    assert {each["worker_address"] for each in replicas} == {first, second}
    right = text(model)
    assert [text(model) for _ in range(3)] == [right] * 3
    cluster.kill_worker("first")
    assert [ask_until_answered(model) for _ in range(4)] == [right] * 4
    wait_until(lambda: first not in cluster.known_workers())
    assert [text(model) for _ in range(4)] == [right] * 4
