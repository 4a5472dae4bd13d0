"""Every API of the server leads to the model, with the clients that people have for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from xinference.client import AsyncRESTfulClient, RESTfulClient

from tests.support.chat.case import SQUARE
from tests.support.chat.media import image, text, user
from tests.support.served import Served

from .conftest import AT_ONCE

pytestmark = pytest.mark.e2e
HI = user("Hi")
ASK = "What is this?"
LOOK = user([image(SQUARE), text(ASK)])
BLOCK = {
    "type": "image",
    "source": {
        "type": "base64",
        "media_type": "image/png",
        "data": SQUARE.partition(",")[2],
    },
}


@pytest.fixture(params=["", "/anthropic"])
def claude(request: pytest.FixtureRequest, served: Served) -> anthropic.Anthropic:
    url = f"{served.host.url}{request.param}"
    return anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=300)


def ask(client: anthropic.Anthropic, served: Served, content: Any, **options: Any) -> Any:
    messages = [{"role": "user", "content": content}]
    return client.messages.create(
        **{"model": served.uid, "max_tokens": 16, "messages": messages, **options}
    )


def said(answer: Any) -> str:
    return str(answer.choices[0].message.content)


def test_anthropic_text_and_pictures(served: Served, claude: anthropic.Anthropic) -> None:
    parts = [BLOCK, {"type": "text", "text": ASK}]
    for content, message in ((f"{HI['content']}", HI), (parts, LOOK)):
        whole = served.chat(message)
        answer = ask(claude, served, content)
        assert answer.content[0].text == said(whole)
        assert answer.usage.input_tokens == whole.usage.prompt_tokens
        assert answer.usage.output_tokens == whole.usage.completion_tokens
        assert (
            answer.stop_reason
            == {"length": "max_tokens", "stop": "end_turn"}[whole.choices[0].finish_reason]
        )
        counted = claude.messages.count_tokens(
            model=served.uid,
            messages=[{"role": "user", "content": content}],  # type: ignore[typeddict-item]
        )
        assert counted.input_tokens == whole.usage.prompt_tokens


def test_anthropic_system_as_text_and_as_parts(served: Served, claude: anthropic.Anthropic) -> None:
    whole = served.chat({"role": "system", "content": "Be kind."}, HI)
    for system in ("Be kind.", [{"type": "text", "text": "Be kind."}]):
        answer = ask(claude, served, "Hi", system=system)
        assert answer.content[0].text == said(whole)
        assert answer.usage.input_tokens == whole.usage.prompt_tokens


def test_anthropic_stop_sequences(served: Served, claude: anthropic.Anthropic) -> None:
    whole = said(served.chat(HI))
    stop = whole[3:6]
    answer = ask(claude, served, "Hi", stop_sequences=["nowhere", stop])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", stop)
    assert answer.content[0].text == whole[: whole.index(stop)]


def test_anthropic_stream(served: Served, claude: anthropic.Anthropic) -> None:
    whole = served.chat(LOOK)
    content = [BLOCK, {"type": "text", "text": ASK}]
    with claude.messages.stream(
        model=served.uid,
        max_tokens=16,
        messages=[{"role": "user", "content": content}],  # type: ignore[typeddict-item]
    ) as stream:
        began = next(event for event in stream if event.type == "message_start")
        assert began.message.usage.input_tokens == whole.usage.prompt_tokens
        assert "".join(stream.text_stream) == said(whole)
        final = stream.get_final_message()
    assert final.usage.output_tokens == whole.usage.completion_tokens
    assert final.stop_reason == "max_tokens"


TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
CALL = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]},
]
ANTHROPIC_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": [TOOL]}, "tools is not supported: the model calls no tools; leave it out"),
    ({"messages": CALL}, "tool"),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        "thinking is not",
    ),
    ({"extra_body": {"mm_processor_kwargs": {"size": 1}}}, "mm_processor_kwargs.size"),
    ({"extra_body": {"invented": 1}}, "invented"),
    ({"extra_body": {"boxes": True}}, "boxes True is not supported by this API"),
    (
        {"system": "S", "messages": [{"role": "user", "content": [{"type": "text", "text": 3}]}]},
        "messages[0].content[0].text has to be a string",
    ),
]


@pytest.mark.parametrize(("options", "sentence"), ANTHROPIC_REFUSED)
def test_anthropic_refusals(
    served: Served, claude: anthropic.Anthropic, options: dict[str, Any], sentence: str
) -> None:
    for stream in (False, True):
        with pytest.raises(anthropic.BadRequestError) as caught:
            ask(claude, served, "Hi", stream=stream, **options)
        body: Any = caught.value.body
        assert body["type"] == "error"
        assert body["error"]["type"] == "invalid_request_error"
        assert sentence in body["error"]["message"]
        assert "address=" not in body["error"]["message"]


def test_responses(served: Served) -> None:
    client = served.client()
    parts = [
        {"type": "input_image", "image_url": SQUARE},
        {"type": "input_text", "text": ASK},
    ]
    system = {"role": "system", "content": "Be kind."}
    cases: list[tuple[Any, dict[str, Any], list[Any]]] = [
        ("Hi", {}, [HI]),
        ([{"role": "user", "content": parts}], {}, [LOOK]),
        ("Hi", {"instructions": "Be kind."}, [system, HI]),
    ]
    for asked, options, messages in cases:
        whole = served.chat(*messages)
        options = {"model": served.uid, "input": asked, "max_output_tokens": 16, **options}
        answer = client.responses.create(**options)
        assert answer.output_text == said(whole)
        assert answer.usage is not None
        assert answer.usage.input_tokens == whole.usage.prompt_tokens
        pieces = [
            event.delta
            for event in client.responses.create(**options, stream=True)
            if event.type == "response.output_text.delta"
        ]
        assert "".join(pieces) == said(whole)


RESPONSES_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": [{"type": "web_search"}]}, "tools is not supported: the model calls no tools"),
    ({"top_logprobs": 3}, "top_logprobs 3 is not supported"),
    ({"extra_body": {"render": True}}, "render True is not supported by this API"),
    ({"extra_body": {"mm_processor_kwargs": {"size": 1}}}, "mm_processor_kwargs.size"),
    ({"extra_body": {"invented": 1}}, "invented"),
    (
        {"input": [{"type": "function_call", "name": "f", "call_id": "1", "arguments": "{}"}]},
        "input[0]",
    ),
    ({"temperature": -1}, "temperature"),
]


@pytest.mark.parametrize(("options", "sentence"), RESPONSES_REFUSED)
def test_responses_refusals(served: Served, options: dict[str, Any], sentence: str) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            served.client().responses.create(
                **{"model": served.uid, "input": "Hi", "stream": stream, **options}
            )
        assert sentence in caught.value.message
        assert "address=" not in caught.value.message


PROMPT = "<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n"


def complete(served: Served, **options: Any) -> Any:
    return served.client().completions.create(
        **{"model": served.uid, "prompt": "One, two", "max_tokens": 8, **options}
    )


def test_completions(served: Served) -> None:
    whole = complete(served, logprobs=2)
    choice = whole.choices[0]
    assert whole.usage.completion_tokens == 8
    assert choice.finish_reason == "length"
    assert len(choice.logprobs.tokens) == len(choice.logprobs.token_logprobs) == 8
    assert all(1 <= len(top) <= 2 for top in choice.logprobs.top_logprobs)
    streamed = "".join(
        chunk.choices[0].text for chunk in complete(served, stream=True) if chunk.choices
    )
    assert streamed == choice.text
    stop = choice.text[2:4]
    stopped = complete(served, stop=stop).choices[0]
    assert (stopped.text, stopped.finish_reason) == (
        choice.text[: choice.text.index(stop)],
        "stop",
    )
    assert len(complete(served, n=3, temperature=1.0, seed=3).choices) == 3


def test_a_completion_of_a_chats_text_is_the_chat(served: Served) -> None:
    chat = served.chat({"role": "system", "content": "Be kind."}, HI, max_tokens=8)
    prompt = f"<|im_start|>system\nBe kind.<|im_end|>{PROMPT}"
    answer = complete(served, prompt=prompt)
    assert answer.usage.prompt_tokens == chat.usage.prompt_tokens
    assert answer.choices[0].text.lstrip() == said(chat).lstrip()


COMPLETION_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"echo": True}, "echo is not supported"),
    ({"suffix": "x"}, "suffix is not supported"),
    ({"logit_bias": {"x": 1}}, "logit_bias {'x': 1} is not"),
    ({"prompt": ""}, "prompt has to be a string that is not empty"),
    ({"prompt": ["a", "b"]}, "prompt"),
    ({"prompt": "<img><IMG_CONTEXT></img>"}, "prompt: a completion has no pictures"),
    ({"extra_body": {"invented": 1}}, "invented"),
]


@pytest.mark.parametrize(("options", "sentence"), COMPLETION_REFUSED)
def test_completion_refusals(served: Served, options: dict[str, Any], sentence: str) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            complete(served, stream=stream, **options)
        assert sentence in caught.value.message
        assert "address=" not in caught.value.message


def test_a_refused_chat_is_read_by_every_client(served: Served) -> None:
    """Before a stream begins, and with one line in the server's log."""
    before = served.host.log.read_text(errors="replace")
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            served.chat(HI, stream=stream, temperature=-1)
        assert caught.value.message.startswith("Error code: 400 - temperature -1 is not a number")
        assert caught.value.param == "temperature"
        assert caught.value.type == "invalid_request_error"
        response: Any = caught.value.response.json()
        assert response["detail"] == response["error"]["message"]
    with pytest.raises(openai.BadRequestError, match="tools is not supported: the model"):
        served.chat(HI, tools=[{"type": "function", "function": {"name": "f"}}])
    added = served.host.log.read_text(errors="replace")[len(before) :]
    assert "Traceback" not in added
    lines = [line for line in added.splitlines() if "temperature -1 is not" in line]
    assert len(lines) == 2


MALFORMED = {
    "no JSON": b"{",
    "no UTF-8": b'{"model": "\xff"}',
    "no object": b"[]",
    "long integer": b'{"model": "%s", "seed": ' + b"1" * 5000 + b"}",
    "deep": b'{"model": "%s", "messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "rather deep": b'{"model": "%s", "messages": ' + b"[" * 200 + b"]" * 200 + b"}",
    "model": b'{"model": 3, "messages": []}',
    "no model": b"{}",
    "extra_body": b'{"model": "%s", "extra_body": "x", "messages": []}',
}
APIS = ["chat/completions", "completions", "responses", "messages", "messages/count_tokens"]


@pytest.mark.parametrize("api", APIS)
def test_a_malformed_body_is_the_clients_fault(served: Served, api: str) -> None:
    for name, body in MALFORMED.items():
        answer = httpx.post(
            f"{served.host.url}/v1/{api}",
            content=body.replace(b"%s", served.uid.encode()),
            headers={"anthropic-version": "2023-06-01", "content-type": "application/json"},
            timeout=60,
        )
        assert answer.status_code == 400, (name, answer.text)
        assert answer.json()["error"]["message"], name


def test_the_hosts_own_client(served: Served) -> None:
    model: Any = RESTfulClient(served.host.url).get_model(served.uid)
    whole = said(served.chat(HI))
    answer = model.chat([HI], generate_config={"max_tokens": 16})
    assert answer["choices"][0]["message"]["content"] == whole
    chunks: Iterator[Any] = model.chat([HI], generate_config={"max_tokens": 16, "stream": True})
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == whole
    text = complete(served).choices[0].text
    answer = model.generate("One, two", generate_config={"max_tokens": 8})
    assert answer["choices"][0]["text"] == text
    chunks = model.generate("One, two", generate_config={"max_tokens": 8, "stream": True})
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == text
    with pytest.raises(RuntimeError, match="temperature -1 is not"):
        model.chat([HI], generate_config={"temperature": -1})


def test_the_hosts_own_asynchronous_client(served: Served) -> None:
    async def ask_async() -> Any:
        client = AsyncRESTfulClient(served.host.url)
        model: Any = await client.get_model(served.uid)
        return await model.chat([HI], generate_config={"max_tokens": 16})

    answer = asyncio.run(ask_async())
    assert answer["choices"][0]["message"]["content"] == said(served.chat(HI))


def test_the_hosts_command_line(served: Served) -> None:
    chat = said(served.chat(HI, max_tokens=4))
    text = complete(served, prompt="One", max_tokens=4).choices[0].text
    for command, typed, answer in (("chat", "Hi\nexit\n", chat), ("generate", "One\nexit\n", text)):
        words = ("--model-uid", served.uid, "--max_tokens", "4", "--stream", "False")
        done = served.host.cli(command, *words, typed=typed)
        assert answer.strip() in done.stdout, (command, done.stdout, done.stderr)


def test_a_client_that_leaves_ends_its_request(served: Served) -> None:
    """Also one that does not stream, at every API: the places of its answers are free again."""
    several = {"model": served.uid, "max_tokens": 20_000, "temperature": 1, "n": AT_ONCE}
    one = {"model": served.uid, "max_tokens": 20_000, "messages": [HI]}
    for api, body in (
        ("chat/completions", {**several, "messages": [HI]}),
        ("completions", {**several, "prompt": "One, two"}),
        ("messages", one),
        ("responses", {"model": served.uid, "max_output_tokens": 20_000, "input": "Hi"}),
    ):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{served.host.url}/v1/{api}",
                json=body,
                headers={"anthropic-version": "2023-06-01"},
                timeout=1,
            )
    answer = served.client().with_options(timeout=60)
    assert answer.completions.create(model=served.uid, prompt="One", max_tokens=1).usage
