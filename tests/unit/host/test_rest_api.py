"""What reaches a model through each of the host's APIs, and how each refuses."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from xinference.api.protocols.anthropic import openai_to_anthropic
from xinference.api.restful_api import RESTfulAPI

from xinference_internvl2.errors import OverloadedError, RequestError
from xinference_internvl2.host import rest_api
from xinference_internvl2.log_once import log_once

from .conftest import ANSWER, Model, from_another_process

pytestmark = pytest.mark.host
HI = {"role": "user", "content": "Hi"}
CHAT = {"model": "model", "messages": [HI], "max_tokens": 64}
BODIES: dict[str, dict[str, Any]] = {
    "chat/completions": CHAT,
    "completions": {"model": "model", "prompt": "Hi", "max_tokens": 64},
    "responses": {"model": "model", "input": "Hi", "max_output_tokens": 64},
    "messages": CHAT,
}
APIS = pytest.mark.parametrize("api", BODIES)


def post(client: TestClient, api: str, **fields: Any) -> Any:
    return client.post(f"/v1/{api}", json={**BODIES[api], **fields})


def events(response: Any) -> list[Any]:
    lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def message(response: Any) -> str:
    return str(response.json()["error"]["message"])


def text(api: str, answer: Any) -> str:
    if api == "responses":
        return str(answer["output"][0]["content"][0]["text"])
    if api == "messages":
        return str(answer["content"][0]["text"])
    choice = answer["choices"][0]
    return str(choice["text"] if api == "completions" else choice["message"]["content"])


def delta(event: Any) -> str:
    if event.get("type") == "response.output_text.delta":
        return str(event["delta"])
    if event.get("type") == "content_block_delta":
        return str(event["delta"]["text"])
    choice = (event.get("choices") or [{}])[0]
    return str(choice.get("text") or choice.get("delta", {}).get("content") or "")


def test_a_missing_function_is_logged_unless_xinference_may_lack_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(RESTfulAPI, "count_anthropic_tokens", raising=False)
    log_once.cache_clear()
    rest_api.activate()
    assert not caplog.records
    monkeypatch.delattr(RESTfulAPI, "create_completion")
    rest_api.activate()
    [record] = caplog.records
    assert "There is no xinference.api.restful_api.RESTfulAPI.create_comp" in record.getMessage()


@APIS
def test_every_api_answers(client: TestClient, api: str) -> None:
    response = post(client, api)
    assert response.status_code == 200, response.text
    assert text(api, response.json()).strip() == ANSWER


@APIS
def test_every_api_streams(client: TestClient, api: str) -> None:
    response = post(client, api, stream=True)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    found = events(response)
    assert not [event for event in found if event.get("error")]
    assert "".join(map(delta, found)).strip() == ANSWER


@APIS
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_comes_before_the_answer_with_one_line_in_the_log(
    client: TestClient, api: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    response = post(client, api, stream=stream, invented=1)
    assert response.status_code == 400
    assert message(response).startswith("invented ")
    assert "address=" not in response.text
    [record] = [record for record in caplog.records if record.name != "httpx"]
    assert "invented" in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize("api", ["chat/completions", "completions", "responses"])
def test_openais_error_object(client: TestClient, api: str) -> None:
    error = post(client, api, invented=1).json()["error"]
    assert (error["type"], error["param"], error["code"]) == (
        *("invalid_request_error", "invented", None),
    )


@pytest.mark.parametrize("api", ["chat/completions", "completions"])
def test_the_hosts_clients_read_the_detail(client: TestClient, api: str) -> None:
    body = post(client, api, invented=1).json()
    assert body["detail"] == body["error"]["message"]


def test_anthropics_error_object(client: TestClient) -> None:
    body = post(client, "messages", invented=1).json()
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")


@APIS
def test_a_fault_in_a_stream_is_an_error_that_clients_read(
    client: TestClient, model: Model, api: str
) -> None:
    model.fault = RequestError("the grammar is none")
    response = post(client, api, stream=True)
    assert response.status_code == 200
    [found] = [e for e in events(response) if e.get("error") or e.get("type") == "response.failed"]
    error = found.get("error") or found["response"]["error"]
    assert error["message"] == "the grammar is none"


@APIS
def test_a_failure_of_the_model_is_no_fault_of_the_client(
    client: TestClient, model: Model, api: str
) -> None:
    model.fault = ArithmeticError("nan")
    assert post(client, api).status_code == 500


@APIS
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", ["of the host", "of ours"])
def test_a_client_of_a_full_model_is_told_to_come_again(
    client: TestClient, model: Model, api: str, stream: bool, error: str
) -> None:
    async def refuse(*args: Any, **kwargs: Any) -> Any:
        if error == "of ours":
            raise from_another_process(OverloadedError("too many requests wait"))
        raise RuntimeError("Rate limit reached for the model.")

    model.chat = model.generate = refuse  # type: ignore[method-assign]
    try:
        response = post(client, api, stream=stream)
    finally:
        del model.chat, model.generate
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert "address=" not in response.text


def test_tools_are_refused_in_our_words(client: TestClient) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    result = {"role": "tool", "tool_call_id": "1", "content": "1"}
    for api in ("chat/completions", "responses", "messages"):
        response = post(client, api, tools=[tool])
        assert (response.status_code, message(response)) == (
            400,
            "tools is not supported: the model calls no tools; leave it out",
        )
    response = post(client, "chat/completions", messages=[HI, result])
    assert message(response).startswith("messages[1]: the model calls no tools")


@pytest.mark.parametrize(("name", "value"), [("n", 2), ("top_k", 3), ("seed", 5)])
def test_a_chat_hands_over_what_the_host_drops(
    client: TestClient, model: Model, name: str, value: int
) -> None:
    for fields in ({name: value}, {"extra_body": {name: value}}):
        for api in ("chat/completions", "completions"):
            assert post(client, api, temperature=1.0, **fields).status_code == 200
            assert getattr(model.requests[-1].sampling, name) == value


def test_the_other_apis_hand_over_what_their_apis_lack(client: TestClient, model: Model) -> None:
    for api in ("responses", "messages"):
        assert post(client, api, seed=5, repetition_penalty=1.5).status_code == 200
        sampling = model.requests[-1].sampling
        assert (sampling.seed, sampling.repetition_penalty) == (5, 1.5)


def test_every_api_makes_the_same_prompt(client: TestClient, model: Model) -> None:
    system = {"role": "system", "content": "Be kind."}
    post(client, "chat/completions", messages=[system, HI])
    post(client, "messages", system="Be kind.")
    post(client, "messages", system=[{"type": "text", "text": "Be kind."}])
    post(client, "responses", instructions="Be kind.")
    post(client, "responses", input=[system, {"type": "message", **HI}])
    prompts = [request.ids for request in model.requests]
    assert prompts == [prompts[0]] * 5


def test_tokens_are_counted_as_they_are_used(client: TestClient, counting: None) -> None:
    used = post(client, "messages").json()["usage"]["input_tokens"]
    counted = client.post("/v1/messages/count_tokens", json=CHAT)
    assert counted.json() == {"input_tokens": used}
    began = events(post(client, "messages", stream=True))[0]
    assert began["message"]["usage"]["input_tokens"] == used
    refused = client.post("/v1/messages/count_tokens", json={**CHAT, "invented": 1})
    assert refused.status_code == 400
    assert message(refused).startswith("invented ")


@pytest.mark.parametrize(("version", "status"), [("2026-10-21", 200), ("1999-01-01", 400)])
def test_newer_clients_of_anthropic_are_answered(
    client: TestClient, model: Model, version: str, status: int, counts: bool
) -> None:
    client.headers["anthropic-version"] = version
    for api in ["messages", "messages/count_tokens"] if counts else ["messages"]:
        assert client.post(f"/v1/{api}", json=CHAT).status_code == status
    model.ours = False
    assert client.post("/v1/messages", json=CHAT).status_code == 400


def test_anthropics_stop_sequence_is_named(client: TestClient) -> None:
    answer = post(client, "messages", stop_sequences=[" three", "nowhere"]).json()
    assert text("messages", answer) == "One, two,"
    if "stop_sequences" in inspect.signature(openai_to_anthropic).parameters:
        assert (answer["stop_reason"], answer["stop_sequence"]) == ("stop_sequence", " three")
    last = [e for e in events(post(client, "messages", stream=True, stop_sequences=[" three"]))]
    [delta] = [event["delta"] for event in last if event["type"] == "message_delta"]
    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": " three"}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("chat/completions", {"logit_bias": {"x": 1}}, "logit_bias {'x': 1} is not"),
    ("chat/completions", {"max_tokens": "many"}, "max_tokens 'many' is not a whole number"),
    ("completions", {"echo": True}, "echo is not supported"),
    ("completions", {"suffix": "x"}, "suffix is not supported"),
    ("completions", {"logit_bias": {"x": 1}}, "logit_bias {'x': 1} is not"),
    ("completions", {"logprobs": 21}, "logprobs 21 is not a whole number from 0 to 20"),
    ("completions", {"prompt": ["a", "b"]}, "prompt has to be a string"),
    ("completions", {"prompt": ""}, "prompt has to be"),
    ("completions", {"prompt": "<img>"}, "prompt: a completion has no pictures"),
    ("responses", {"top_logprobs": 1}, "top_logprobs 1 is not supported by this API"),
    ("responses", {"truncation": "auto"}, "truncation 'auto'"),
    ("responses", {"input": [{"type": "function_call"}]}, "input[0]: an item of type"),
    (
        "messages",
        {"thinking": {"type": "adaptive"}},
        "thinking is not supported: the model does not reason",
    ),
    ("messages", {"max_tokens": 0}, "The 'max_tokens' field"),
]


@pytest.mark.parametrize(("api", "fields", "sentence"), REFUSED)
def test_what_an_api_has_no_place_for_is_refused(
    client: TestClient, api: str, fields: dict[str, Any], sentence: str
) -> None:
    response = post(client, api, **fields)
    assert response.status_code == 400
    assert sentence in message(response)


def test_logprobs_of_a_completion(client: TestClient) -> None:
    choice = post(client, "completions", logprobs=1).json()["choices"][0]
    found = choice["logprobs"]
    assert "".join(found["tokens"]) == choice["text"] == ANSWER
    assert found["token_logprobs"] == [-0.5] * len(found["tokens"])
    assert found["text_offset"][:2] == [0, len(found["tokens"][0])]
    assert found["top_logprobs"][0] == {found["tokens"][0]: -0.5}
    streamed = [
        event["choices"][0]
        for event in events(post(client, "completions", logprobs=1, stream=True))
        if event["choices"][0]["logprobs"]
    ]
    offsets = [o for part in streamed for o in part["logprobs"]["text_offset"]]
    assert offsets == found["text_offset"]


MALFORMED = {
    "no JSON": b"{",
    "no UTF-8": b'{"model": "\xff"}',
    "no object": b"[]",
    "long integer": b'{"model": "model", "seed": ' + b"1" * 5000 + b"}",
    "deep": b'{"model": "model", "messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "model": b'{"model": 3, "messages": []}',
    "no model": b"{}",
    "extra_body": b'{"model": "model", "extra_body": "x", "messages": []}',
}


@pytest.mark.parametrize("api", [*BODIES, "messages/count_tokens"])
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_body_is_the_clients_fault(
    client: TestClient, api: str, name: str, counts: bool
) -> None:
    if api not in BODIES and not counts:
        pytest.skip("this Xinference counts no tokens for Anthropic's clients")
    response = client.post(f"/v1/{api}", content=MALFORMED[name])
    assert response.status_code == 400
    assert message(response)


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_a_body_may_be_a_hundred_levels_deep(client: TestClient) -> None:
    # The body is a level of its own.
    fine = post(client, "chat/completions", metadata=nested(99))
    assert fine.status_code == 200
    deep = post(client, "chat/completions", metadata=nested(100))
    assert (
        message(deep) == "the body of the request is nested more than 100 levels deep; nest it less"
    )


@APIS
def test_models_of_others_are_left_alone(client: TestClient, model: Model, api: str) -> None:
    model.ours = False
    if api == "chat/completions":
        assert "error" not in post(client, api, tools=[{}], messages=[HI]).json()
    assert post(client, api).status_code == 200
    assert post(client, api, metadata=nested(100)).status_code == 200


def test_a_model_that_is_not_there_is_for_the_host_to_report(client: TestClient) -> None:
    response = post(client, "chat/completions", model="absent")
    assert response.status_code == 404
    assert "Model not found" in response.json()["detail"]


def test_a_client_that_leaves_while_it_sends_leaves_no_traceback(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Many of them would fill the log."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "query_string": b""}
    scope |= {"path": "/v1/chat/completions", "headers": [], "app": client.app}
    asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 499
    assert not caplog.records
