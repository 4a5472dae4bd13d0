"""A model that is downloaded: a server on this machine stands for the hub."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from xinference.client import RESTfulClient

from tests.support.chat.media import user
from tests.support.host import Host
from tests.support.hub import Hub
from tests.support.served import Served, request_launch
from tests.tiny import make_checkpoint

from .conftest import CODE_FILES, plant_code

pytestmark = pytest.mark.e2e
LARGE = "examples/large.mp4"
# The client of the hub keeps what has arrived in pieces of 10 MB.
LARGE_BYTES = 24 << 20
ROOM = 12 << 20
SPEC = {"model_engine": "Transformers", "model_format": "pytorch", "quantization": "none"}
SECONDS = 120


def download(host: Host, uid: str, size: int) -> None:
    options = {"model_size_in_billions": size, "enable_virtual_env": None}
    request_launch(host, uid, **SPEC, **options)


@contextmanager
def full_disk(host: Host) -> Iterator[None]:
    """As where there is room for `ROOM` bytes of a file, and every byte more is an error."""
    processes = host.list_processes()
    kept = [process.rlimit(psutil.RLIMIT_FSIZE) for process in processes]
    try:
        for process, (_, hard) in zip(processes, kept, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, (ROOM, hard))
        yield
    finally:
        for process, limits in zip(processes, kept, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, limits)


@pytest.fixture(scope="module")
def repository(hub: Hub, marker: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hub has for the smallest model: a checkpoint, code beside it, and a large file."""
    folder = tmp_path_factory.mktemp("hub")
    path = make_checkpoint(folder / "1b", backbone="qwen2")
    plant_code(path, marker)
    (path / LARGE).parent.mkdir()
    (path / LARGE).write_bytes(bytes(LARGE_BYTES))
    hub.repositories["OpenGVLab/InternVL2-1B"] = path
    return path


@pytest.fixture(scope="module")
def downloaded(extended: Host, hub: Hub, repository: Path) -> Iterator[dict[str, Any]]:
    """The model, launched after a download for which there was no room and one that broke, with
    the progress of the third one."""
    environments = extended.count_virtual_environments()
    with pytest.raises(RuntimeError) as full, full_disk(extended):
        download(extended, "downloaded", 1)
    hub.cut = LARGE
    with pytest.raises(RuntimeError) as broken:
        download(extended, "downloaded", 1)
    hub.cut, hub.held = None, LARGE
    found: dict[str, Any] = {"full": str(full.value), "broken": str(broken.value), "progress": []}
    launching = threading.Thread(target=download, args=(extended, "downloaded", 1))
    launching.start()
    deadline = time.monotonic() + SECONDS
    url = f"{extended.url}/v1/models/downloaded/progress"
    while launching.is_alive() and time.monotonic() < deadline:
        answer = httpx.get(url, timeout=10)
        if answer.status_code == 200:
            found["progress"].append(answer.json()["progress"])
        if len(hub.offsets.get(LARGE, [])) > 2 and found["progress"][-1:] > [0]:
            hub.go_on.set()
        time.sleep(0.1)
    hub.go_on.set()
    launching.join(SECONDS)
    # The server makes none if nobody asks for one.
    assert extended.count_virtual_environments() == environments
    yield found
    RESTfulClient(extended.url).terminate_model("downloaded")


@pytest.mark.parametrize("fault", ["full", "broken"])
def test_a_download_that_fails_is_said(downloaded: dict[str, Any], fault: str) -> None:
    sentence = "Failed to download model 'internvl2' (size: 1, format: pytorch)"
    assert sentence in downloaded[fault]


def test_the_next_launch_goes_on_where_the_last_ended(
    downloaded: dict[str, Any], hub: Hub, extended: Host
) -> None:
    first, second, third = hub.offsets[LARGE]
    assert first == 0
    assert 0 < second <= ROOM
    assert second <= third < LARGE_BYTES
    assert {name for name, offsets in hub.offsets.items() if len(offsets) > 1} == {LARGE}
    (file,) = extended.home.rglob("snapshots/*/examples/large.mp4")
    assert file.stat().st_size == LARGE_BYTES


def test_progress_is_told(downloaded: dict[str, Any]) -> None:
    seen = downloaded["progress"]
    assert seen == sorted(seen)
    assert any(0 < part < 1 for part in seen)


def test_the_downloaded_model_answers_and_its_code_never_runs(
    downloaded: dict[str, Any], extended: Host, repository: Path, marker: Path
) -> None:
    served = Served(extended, "downloaded", repository)
    assert served.chat(user("Hi"), max_tokens=4).usage.completion_tokens == 4
    for name in CODE_FILES:
        assert list(extended.home.rglob(f"snapshots/*/{name}")), name
    assert not marker.exists()


def test_a_file_that_the_hub_lacks_is_named(
    extended: Host, hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = make_checkpoint(tmp_path_factory.mktemp("hub") / "2b", backbone="internlm2", shards=2)
    (path / "model-00002-of-00002.safetensors").unlink()
    hub.repositories["OpenGVLab/InternVL2-2B"] = path
    with pytest.raises(RuntimeError, match=r"model-00002-of-00002\.safetensors"):
        download(extended, "lacking", 2)


def test_a_repository_that_the_hub_lacks_is_a_sentence(extended: Host) -> None:
    with pytest.raises(RuntimeError, match="Failed to download model 'internvl2'"):
        download(extended, "absent", 4)
