"""Prompts as the model was trained on them, written out."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.errors import RequestError
from xinference_internvl2.prompt import Media, image_tokens, pieces, render

SYSTEM = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，"
    "英文名叫InternVL, 是一个有用无害的人工智能助手。"
)
CHATML = ("Hermes-2", "internlm2-chat")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def text(value: Any) -> dict[str, Any]:
    return {"type": "text", "text": value}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


ONE_TURN = [user("Hi")]
TWO_TURNS = [system("Be brief."), user("Hi"), assistant("Hello."), user("Bye")]


@pytest.mark.parametrize("name", CHATML)
def test_chatml(name: str) -> None:
    assert render(ONE_TURN, name).text == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>"
        "<|im_start|>user\nHi<|im_end|>"
        "<|im_start|>assistant\n"
    )
    assert render(TWO_TURNS, name).text == (
        "<|im_start|>system\nBe brief.<|im_end|>"
        "<|im_start|>user\nHi<|im_end|>"
        "<|im_start|>assistant\nHello.<|im_end|>"
        "<|im_start|>user\nBye<|im_end|>"
        "<|im_start|>assistant\n"
    )


def test_phi3() -> None:
    assert render(ONE_TURN, "phi3-chat").text == (
        f"<|system|>\n{SYSTEM}<|end|><|user|>\nHi<|end|><|assistant|>\n"
    )
    assert render(TWO_TURNS, "phi3-chat").text == (
        "<|system|>\nBe brief.<|end|><|user|>\nHi<|end|>"
        "<|assistant|>\nHello.<|end|><|user|>\nBye<|end|><|assistant|>\n"
    )


# Messages → the turns after the system's, as (role, text).
TURNS: list[tuple[list[dict[str, Any]], list[tuple[str, str]]]] = [
    ([user([image("a"), text("Q")])], [("user", "<image>\nQ")]),
    ([user([text("Q"), image("a")])], [("user", "<image>\nQ")]),
    ([user([image("a")])], [("user", "<image>\n")]),
    (
        [user([image("a"), image("b"), text("Q")])],
        [("user", "Image-1: <image>\nImage-2: <image>\nQ")],
    ),
    ([user([text("A"), image("a"), text("B")])], [("user", "A\n<image>\nB")]),
    (
        [user([text("A"), image("a"), text("B"), image("b")])],
        [("user", "A\nImage-1: <image>\nB\nImage-2: <image>\n")],
    ),
    ([user([text("A"), text("B")])], [("user", "A\nB")]),
    (
        [user([image("a"), text("Q")]), assistant("R"), user([image("b"), text("S")])],
        [
            ("user", "Image-1: <image>\nQ"),
            ("assistant", "R"),
            ("user", "Image-2: <image>\nS"),
        ],
    ),
    (
        [user([image("a"), text("Q")]), assistant("R"), user("S")],
        [("user", "<image>\nQ"), ("assistant", "R"), ("user", "S")],
    ),
    ([user("A"), user("B")], [("user", "A"), ("user", "B")]),
    ([user("")], [("user", "")]),
    ([user(None)], [("user", "")]),
    (
        [user("Q"), assistant(None), user("S")],
        [("user", "Q"), ("assistant", ""), ("user", "S")],
    ),
    (
        [user("Q"), assistant([text("R")]), user("S")],
        [("user", "Q"), ("assistant", "R"), ("user", "S")],
    ),
    ([assistant("First"), user("Q")], [("assistant", "First"), ("user", "Q")]),
]


@pytest.mark.parametrize(("messages", "turns"), TURNS)
def test_turns(messages: list[dict[str, Any]], turns: list[tuple[str, str]]) -> None:
    written = "".join(f"<|im_start|>{role}\n{words}<|im_end|>" for role, words in turns)
    expected = f"<|im_start|>system\n{SYSTEM}<|im_end|>{written}<|im_start|>assistant\n"
    assert render(messages, "internlm2-chat").text == expected


def test_an_empty_system_message_is_respected() -> None:
    prompt = render([system(""), *ONE_TURN], "Hermes-2").text
    assert prompt.startswith("<|im_start|>system\n<|im_end|><|im_start|>user\n")


def test_system_text_in_parts() -> None:
    prompt = render([system([text("A"), text("B")]), *ONE_TURN], "Hermes-2").text
    assert prompt.startswith("<|im_start|>system\nA\nB<|im_end|>")


def test_the_last_answer_is_continued() -> None:
    prompt = render([user("Q"), assistant("The answer")], "phi3-chat").text
    assert prompt.endswith("<|user|>\nQ<|end|><|assistant|>\nThe answer")


def test_media_come_in_the_order_of_their_placeholders() -> None:
    part = {"type": "image_url", "image_url": "http://b"}
    low = {"type": "image_url", "image_url": {"url": "data:a", "detail": "low"}}
    rendered = render([user([low, text("Q")]), assistant("R"), user([part, text("S")])], "Hermes-2")
    assert rendered.media == (
        Media("image", "data:a", "messages[0].content[0].image_url", "low"),
        Media("image", "http://b", "messages[2].content[0].image_url"),
    )
    assert rendered.text.count("<image>") == 2


def test_only_the_formats_own_text_and_grounding_marks_are_trusted() -> None:
    words = "<image> <|im_end|> <ref>cat</ref> <IMG_CONTEXT>"
    run = pieces([system("<|im_start|>"), user([image("a"), text(words)])], "Hermes-2")
    assert "".join(piece.text for piece in run) == (
        "<|im_start|>system\n<|im_start|><|im_end|><|im_start|>user\n"
        f"<image>\n{words}<|im_end|><|im_start|>assistant\n"
    )
    assert [piece.text for piece in run if piece.trusted] == [
        "<|im_start|>system\n",
        "<|im_end|>",
        "<|im_start|>user\n",
        "<image>",
        "<ref>",
        "</ref>",
        "<|im_end|>",
        "<|im_start|>assistant\n",
    ]
    assert [piece.text for piece in run if piece.media] == ["<image>"]


def test_image_tokens() -> None:
    assert image_tokens(2) == "<img><IMG_CONTEXT><IMG_CONTEXT></img>"


REFUSED: list[tuple[list[Any], str]] = [
    ([], "messages: there is no user message to answer"),
    ([system("S")], "messages: there is no user message to answer"),
    ([user("Q"), system("S")], "messages[1]: a system message has to be the first and only one"),
    (
        [system("S"), system("T"), user("Q")],
        "messages[1]: a system message has to be the first and only one",
    ),
    (
        [user("Q"), {"role": "tool", "content": "x"}],
        "messages[1]: role 'tool' is not supported; use system, user or assistant",
    ),
    (["Q"], "messages[0]: role None is not supported; use system, user or assistant"),
    ([user(7)], "messages[0].content has to be a string or a list of parts"),
    ([user(["Q"])], "messages[0].content[0] has to be an object with a type"),
    ([user([text(None)])], "messages[0].content[0].text has to be a string"),
    (
        [user([{"type": "input_audio"}])],
        "messages[0].content[0]: content of type 'input_audio' is not supported; "
        "use text or image_url",
    ),
    (
        [user([{"type": "image_url"}])],
        "messages[0].content[0].image_url has to be a URL or an object with one",
    ),
    (
        [user([{"type": "image_url", "image_url": {"url": "u", "detail": "huge"}}])],
        "messages[0].content[0].image_url.detail 'huge' is not one of auto, low, high",
    ),
    (
        [user("Q"), assistant([image("a")])],
        "messages[1].content[0]: an assistant message can hold only text",
    ),
    (
        [system([image("a")]), user("Q")],
        "messages[0].content: a system message can hold only text",
    ),
]


@pytest.mark.parametrize(("messages", "sentence"), REFUSED)
def test_refused(messages: list[Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        render(messages, "Hermes-2")
    assert str(caught.value) == sentence


def test_an_unknown_prompt_format_is_named() -> None:
    with pytest.raises(ValueError, match="prompt format 'Vicuna' is not one of Hermes-2, "):
        render(ONE_TURN, "Vicuna")
