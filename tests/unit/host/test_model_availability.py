"""What clients get while the process of a model is not there: come again."""

from __future__ import annotations

import re
from typing import Any

import pytest
import xoscar
from starlette.testclient import TestClient

from xinference_internvl2.host.model_availability import unavailable

from .conftest import Model, from_another_process
from .test_rest_api import APIS, CHAT, events, message, post

pytestmark = pytest.mark.host
GONE = r"the process of model model(-0)? has ended and is being started again; send the request"
STREAM = pytest.mark.parametrize("stream", [False, True])


def fail(monkeypatch: pytest.MonkeyPatch, model: Model, error: Exception, *names: str) -> None:
    async def raise_error(*args: Any, **kwargs: Any) -> Any:
        raise error

    for name in names:
        monkeypatch.setattr(model, name, raise_error)


def check(response: Any) -> None:
    assert (response.status_code, response.headers["retry-after"]) == (503, "10"), response.text
    assert re.match(GONE, message(response))


@APIS
@STREAM
def test_killed_before_it_had_answered(
    client: TestClient, model: Model, api: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another replica answers the next request."""
    fail(monkeypatch, model, xoscar.ServerClosed("Remote server closed"), "chat", "generate")
    check(post(client, api, stream=stream))


@APIS
@STREAM
def test_killed_and_not_missed_yet(
    client: TestClient, model: Model, api: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 38949)")
    fail(monkeypatch, model, gone, "is_vllm_backend", "chat", "generate")
    check(post(client, api, stream=stream))


@APIS
@STREAM
def test_while_it_is_started_again(
    client: TestClient,
    model: Model,
    api: str,
    stream: bool,
    counts: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail(monkeypatch, model, ValueError("Model not found in the model list"), "describe_model")
    fail(monkeypatch, model, RuntimeError("Model model-0 is in stopping state"), "get_model")
    check(post(client, api, stream=stream))
    if counts:
        check(client.post("/v1/messages/count_tokens", json=CHAT))


@APIS
@STREAM
def test_started_again_by_the_time_that_is_asked_for(
    client: TestClient, model: Model, api: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host has refused the request, and answers the next one."""
    errors = [RuntimeError("[address=127.0.0.1:1, pid=2] Model model-0 is in stopping state")]

    async def get_model(*args: Any, **kwargs: Any) -> Any:
        if errors:
            raise errors.pop()
        return model

    monkeypatch.setattr(model, "get_model", get_model)
    check(post(client, api, stream=stream))
    assert post(client, api).status_code == 200


def test_a_stream_that_is_cut_off_says_why(
    client: TestClient, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def some() -> Any:
        yield b'data: {"id": "1", "choices": [{"index": 0, "delta": {"content": "One"}}]}\r\n\r\n'
        raise xoscar.ServerClosed("Remote server closed")

    async def chat(*args: Any, **kwargs: Any) -> Any:
        return some()

    monkeypatch.setattr(model, "chat", chat)
    response = post(client, "chat/completions", stream=True)
    assert response.status_code == 200
    assert re.match(GONE, events(response)[-1]["error"]["message"])


def test_an_error_of_the_model_itself_is_none_of_its_process(
    client: TestClient, model: Model
) -> None:
    model.fault = from_another_process(FileNotFoundError(2, "no such file"))
    assert post(client, "chat/completions").status_code == 500


def test_models_of_others_are_answered_as_by_the_host(
    client: TestClient, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.ours = False
    fail(monkeypatch, model, RuntimeError("Model model-0 is in stopping state"), "get_model")
    assert post(client, "chat/completions").status_code == 500


@pytest.mark.parametrize(("size", "shown"), [(100, 100), (101, 100)])
def test_as_much_of_a_name_is_shown(size: int, shown: int) -> None:
    assert str(unavailable("x" * size)).startswith(f"the process of model {'x' * shown} has ended")
