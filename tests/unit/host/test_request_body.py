"""Bodies as nobody means them: every value is handed over as it was sent, or refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.chat.case import ANTHROPIC, SQUARE
from xinference_internvl2.chat.build_sampling_params import read_sampling
from xinference_internvl2.chat.option_table import OPTIONS
from xinference_internvl2.chat.read_options import read_options
from xinference_internvl2.errors import OverloadedError, RequestError

from .conftest import Model, from_another_process
from .test_rest_api import APIS, BODIES, CHAT, HI, message, post

pytestmark = pytest.mark.host
OFF: list[Any] = [False, 0, "", [], {}]
"""What Python takes for "off", and is not the same."""
# Fields that the APIs read themselves, and those that an answer of an API has no place for.
OWN: dict[str, set[str]] = {
    "chat/completions": {"stream", "cache_salt", "request_id"},
    "completions": {"stream", "cache_salt", "request_id", "logprobs"},
    "responses": {"stream", "cache_salt", "temperature", "top_p"},
    "messages": {"stream", "cache_salt", "temperature", "top_p", "top_k", "max_tokens", "tools"},
}
OWN["messages"] |= {"tool_choice", "metadata", "stop"}
ONE_TEXT = {"n": 2, "logprobs": True, "top_logprobs": 3, "boxes": True, "render": True}


def is_accepted(name: str, value: Any) -> bool:
    try:
        options = read_options({"max_tokens": 64, name: value})
        read_sampling(options, 2000, 64)
    except RequestError:
        return False
    return True


@APIS
def test_every_value_is_judged_by_the_table_as_it_was_sent(client: TestClient, api: str) -> None:
    """No false, 0 or empty value passes as "off", and none is made something else on its way."""
    depend_on_messages = {"continue_final_message", "add_generation_prompt"}
    for name in {*OPTIONS, "invented", "_invented"} - OWN[api] - depend_on_messages:
        for value in OFF:
            response = post(client, api, **{name: value})
            known = is_accepted(name, value) and name[0] != "_"
            assert response.status_code == (200 if known else 400), (name, value, response.text)
            if not known:
                assert message(response).startswith(name), (name, value, response.text)


@APIS
@pytest.mark.parametrize("name", ["stream", "cache_salt"])
def test_a_field_that_an_api_reads_itself_is_no_less_strict(
    client: TestClient, api: str, name: str
) -> None:
    for value in OFF:
        response = post(client, api, **{name: value})
        accepted = name == "stream" and value is False
        assert response.status_code == (200 if accepted else 400), (value, response.text)


@APIS
def test_a_cache_salt_reaches_the_model(client: TestClient, model: Model, api: str) -> None:
    assert post(client, api, cache_salt="mine").status_code == 200
    assert model.requests[-1].cache_salt == "mine"


SINCE_4_1: list[tuple[str, Any, bool]] = [
    ("output_config", {}, True),
    ("output_config", {"format": {"type": "json_schema", "schema": {}}}, False),
    ("output_format", {"type": "json_schema", "schema": {}}, False),
    ("cache_control", {"type": "ephemeral", "ttl": "1h"}, True),
    ("cache_control", {"type": "ephemeral", "ttl": "2h"}, False),
    ("context_management", {"edits": []}, True),
    ("context_management", {"edits": [{"type": "compact_20260112"}]}, False),
]


@pytest.mark.parametrize(("name", "value", "taken"), SINCE_4_1)
def test_what_xinference_does_not_read_is_without_effect_or_refused(
    client: TestClient, name: str, value: Any, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a later one, as if it were 4.0."""
    canonical = "xinference.api.protocols.anthropic.CanonicalChatRequest.response_format"
    monkeypatch.delattr(canonical, raising=False)
    response = post(client, "messages", **{name: value})
    assert response.status_code == (200 if taken else 400)
    assert taken or message(response).startswith(f"{name} {value!r:.80} is not supported by this")


@APIS
@pytest.mark.parametrize(
    "name", ["temperature", "stop", "seed", "n", "stream", "tools", "invented"]
)
def test_null_is_as_if_it_were_not_there(client: TestClient, api: str, name: str) -> None:
    assert post(client, api, **{name: None}).status_code == 200


@pytest.mark.parametrize("api", ["responses", "messages"])
@pytest.mark.parametrize("name", ONE_TEXT)
def test_what_has_no_place_in_an_answer_is_refused(client: TestClient, api: str, name: str) -> None:
    for fields in ({name: ONE_TEXT[name]}, {"extra_body": {name: ONE_TEXT[name]}}):
        response = post(client, api, temperature=1, **fields)
        assert response.status_code == 400
        assert message(response).startswith(f"{name} {ONE_TEXT[name]!r} is not supported by this")


def test_boxes_and_the_prompt_are_for_chats_alone(client: TestClient) -> None:
    for name in ("boxes", "render", "mm_processor_kwargs"):
        value = {"num_frames": 2} if name == "mm_processor_kwargs" else True
        assert "is an option of a chat" in message(post(client, "completions", **{name: value}))
        assert post(client, "chat/completions", **{name: value}).status_code == 200


CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("chat/completions", {"max_completion_tokens": 3}, "max_completion_tokens contradicts max_to"),
    (
        "chat/completions",
        {"seed": 1, "extra_body": {"seed": 2}},
        "extra_body.seed contradicts seed",
    ),
    ("chat/completions", {"extra_body": {"messages": []}}, "extra_body.messages contradicts"),
    ("responses", {"max_tokens": 3}, "max_tokens stands beside a field that means the same"),
    ("responses", {"messages": [HI]}, "messages stands beside a field that means the same"),
    ("messages", {"stop": "a", "stop_sequences": ["b"]}, "stop stands beside a field"),
    (
        "messages",
        {"output_format": {"type": "json_schema"}, "output_config": {"format": {"type": "x"}}},
        "output_format stands beside output_config.format",
    ),
]


@pytest.mark.parametrize(("api", "fields", "sentence"), CONTRADICTIONS)
def test_nothing_is_said_twice(
    client: TestClient, api: str, fields: dict[str, Any], sentence: str
) -> None:
    response = post(client, api, **fields)
    assert response.status_code == 400
    assert message(response).startswith(sentence)


def test_a_newer_name_means_the_same(client: TestClient, model: Model) -> None:
    body = {"model": "model", "messages": [HI], "max_completion_tokens": 3}
    assert client.post("/v1/chat/completions", json=body).status_code == 200
    assert model.requests[-1].sampling.max_tokens == 3


NESTED: list[tuple[str, dict[str, Any], str]] = [
    ("responses", {"text": {"format": {"type": "text", "odd": 0}}}, "text.format.odd is not"),
    ("responses", {"text": {"odd": False}}, "text.odd is not supported"),
    ("responses", {"text": 0}, "text 0 is not an object"),
    ("responses", {"reasoning": {"odd": ""}}, "reasoning.odd is not supported"),
    ("responses", {"reasoning": {"effort": "low"}}, "reasoning.effort is not supported"),
    ("responses", {"text": {"verbosity": "low"}}, "text.verbosity is not supported"),
    ("responses", {"text": {"format": {"type": "json_schema"}}}, "text.format.schema has to be"),
    ("responses", {"max_output_tokens": 0}, "max_output_tokens 0 is not a whole number"),
    ("messages", {"stop_sequences": [""]}, "stop_sequences '' is not a string of 1 to 256"),
    ("responses", {"tool_choice": "required"}, "tool_choice is not supported"),
    ("responses", {"previous_response_id": ""}, "previous_response_id '' is not supported"),
    ("responses", {"background": True}, "background True is not supported"),
    ("responses", {"instructions": 0}, "instructions has to be a string"),
    ("responses", {"input": 3}, "input has to be a string or a list of items"),
    ("messages", {"tool_choice": {"type": "auto", "odd": 0}}, "tool_choice.odd is not supported"),
    ("messages", {"tool_choice": {"type": []}}, "a field of the request has a value of the wrong"),
    ("messages", {"output_config": {"odd": 0}}, "output_config.odd is not supported"),
    ("messages", {"output_config": {"effort": "low"}}, "output_config.effort is not supported"),
    ("messages", {"output_config": ""}, "output_config '' is not an object"),
    ("messages", {"context_management": {"odd": 0}}, "context_management.odd is not supported"),
    ("messages", {"thinking": {"type": "disabled", "odd": 0}}, "thinking is not supported"),
    ("messages", {"messages": {}}, "messages has to be a list"),
    ("messages", {"stream_options": {"include_usage": True}}, "stream_options {'include_usage'"),
    ("completions", {"prompt": False}, "prompt has to be a string"),
    ("completions", {"prompt": [1, 2]}, "prompt has to be a string"),
    ("completions", {"logprobs": False}, "logprobs False is not a whole number"),
    ("chat/completions", {"stream_options": {"_odd": 0}}, "stream_options._odd is not supported"),
]


@pytest.mark.parametrize(("api", "fields", "sentence"), NESTED)
def test_what_an_api_would_ignore_is_refused(
    client: TestClient, api: str, fields: dict[str, Any], sentence: str
) -> None:
    response = post(client, api, **fields)
    assert response.status_code == 400
    assert message(response).startswith(sentence)


ODD = {"type": "text", "text": "Hi", "odd": 0}
PLACES: list[tuple[str, dict[str, Any], str]] = [
    ("chat/completions", {"messages": [{**HI, "content": [ODD]}]}, "messages[0].content[0].odd"),
    ("messages", {"messages": [{**HI, "content": [ODD]}]}, "messages[0].content[0].odd"),
    (
        "messages",
        {"system": "S", "messages": [HI, {**HI, "content": [ODD]}]},
        "messages[1].content[0].odd",
    ),
    ("messages", {"system": [ODD]}, "system[0].odd"),
    ("messages", {"messages": [{**HI, "odd": 0}]}, "messages[0].odd"),
    (
        "messages",
        {"messages": [{**HI, "content": [{"type": "image", "source": {**ANTHROPIC, "odd": 0}}]}]},
        "messages[0].content[0].source.odd",
    ),
    ("messages", {"messages": [{**HI, "content": [{"type": "document"}]}]}, "messages[0].content"),
    (
        "messages",
        {"messages": [{**HI, "content": [{"type": "tool_result", "tool_use_id": "1"}]}]},
        "messages[0].content[0]: content of type 'tool_result' is not supported: the model calls",
    ),
    ("responses", {"input": [{**HI, "content": [ODD]}]}, "input[0].content[0].odd"),
    (
        "responses",
        {"instructions": "S", "input": [{"type": "reasoning"}, {**HI, "odd": 0}]},
        "input[1].odd",
    ),
    ("responses", {"instructions": "\ud800", "input": "Hi"}, "the text has half a surrogate pair"),
    ("responses", {"input": [3]}, "input[0] has to be an object"),
]


@pytest.mark.parametrize(("api", "fields", "place"), PLACES)
@pytest.mark.parametrize("stream", [False, True])
def test_the_place_at_fault_is_the_one_in_the_body(
    client: TestClient, api: str, fields: dict[str, Any], place: str, stream: bool, counts: bool
) -> None:
    body = json.dumps({**BODIES[api], **fields, "stream": stream})
    response = client.post(f"/v1/{api}", content=body)
    assert response.status_code == 400
    assert message(response).startswith(place)
    if api == "messages" and counts:
        counted = client.post("/v1/messages/count_tokens", content=body)
        assert counted.status_code == 400
        assert message(counted).startswith(place)


JUNK: list[Any] = [None, False, 0, 1.5, "", "x", [], [None], [[]], ["x"], [{}], {}, {"x": 1}]
SHAPES = {
    "messages": lambda junk: junk,
    "message": lambda junk: [junk],
    "role": lambda junk: [{"role": junk, "content": "Hi"}],
    "content": lambda junk: [{**HI, "content": junk}],
    "part": lambda junk: [{**HI, "content": [junk]}],
    "type": lambda junk: [{**HI, "content": [{"type": junk, "text": "x"}]}],
    "text": lambda junk: [{**HI, "content": [{"type": "text", "text": junk}]}],
    "image_url": lambda junk: [{**HI, "content": [{"type": "image_url", "image_url": junk}]}],
    "url": lambda junk: [{**HI, "content": [{"type": "image_url", "image_url": {"url": junk}}]}],
    "detail": lambda junk: [
        {**HI, "content": [{"type": "image_url", "image_url": {"url": SQUARE, "detail": junk}}]}
    ],
    "source": lambda junk: [{**HI, "content": [{"type": "image", "source": junk}]}],
    "data": lambda junk: [{**HI, "content": [{"type": "image", "source": {"data": junk}}]}],
    "name": lambda junk: [{**HI, "name": junk}],
    "tool_calls": lambda junk: [HI, {"role": "assistant", "content": "", "tool_calls": junk}],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_message_is_the_servers_fault(
    client: TestClient, shape: str, counts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    apis = ["chat/completions", "responses", "messages"]
    for api in [*apis, "messages/count_tokens"] if counts else apis:
        field = "input" if api == "responses" else "messages"
        for junk in JUNK:
            caplog.clear()
            body = {**BODIES.get(api, CHAT), field: SHAPES[shape](junk)}
            response = client.post(f"/v1/{api}", json=body)
            assert response.status_code in (200, 400), (api, junk, response.text)
            assert response.status_code == 200 or message(response), (api, junk)
            assert not any(record.exc_info for record in caplog.records), (api, junk)


@pytest.mark.parametrize("system", ["", "Be kind.", [{"type": "text", "text": "Be kind."}]])
def test_anthropics_system_text_is_that_of_a_chat(
    client: TestClient, model: Model, system: Any
) -> None:
    post(client, "messages", system=system)
    post(client, "chat/completions", messages=[{"role": "system", "content": system}, HI])
    anthropics, chats = model.requests
    assert anthropics.ids == chats.ids


def test_a_later_system_message_of_anthropic_stays_in_its_place(
    client: TestClient, model: Model
) -> None:
    messages = [HI, {"role": "system", "content": "S"}, HI]
    for api in ("messages", "chat/completions", "responses"):
        field = "input" if api == "responses" else "messages"
        assert post(client, api, **{field: messages}).status_code == 200
    prompts = [request.ids for request in model.requests]
    assert prompts == [prompts[0]] * 3


def test_what_is_of_other_models_and_servers_is_left_out(client: TestClient, model: Model) -> None:
    thought = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Yes."}]}
    header = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2"}
    assert post(client, "messages", system=[header], messages=[HI, said, HI]).status_code == 200
    assert "Yes." in model.requests[-1].text
    assert "Hm" not in model.requests[-1].text
    assert "billing" not in model.requests[-1].text


def test_one_prompt_may_come_in_a_list(client: TestClient, model: Model) -> None:
    assert post(client, "completions", prompt=["Hi"]).status_code == 200
    assert model.requests[-1].text == "Hi"


def test_a_full_model_counts_no_tokens_either(
    client: TestClient, model: Model, counting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*args: Any) -> Any:
        raise from_another_process(OverloadedError("too many requests wait"))

    monkeypatch.setattr(model, "count_tokens", refuse)
    response = client.post("/v1/messages/count_tokens", json=CHAT)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.json()["error"] == {
        "type": "rate_limit_error",
        "message": "too many requests wait",
    }
