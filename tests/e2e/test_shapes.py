"""The right answers through the server, on both engines, from a small model that sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import pytest

from tests.shapes.chats import make_messages
from tests.shapes.showcase import CONTENTS, SHOWCASE, Exhibit
from tests.shapes.task import Sample, draw_samples
from tests.support.chat.media import image_uri
from tests.support.served import Served, image_message

from .conftest import AT_ONCE, STOP
from .test_chat import joined

pytestmark = pytest.mark.e2e
LEAST_RIGHT = 0.9


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("shown", SHOWCASE, ids=lambda shown: shown.name)
def test_pictures_pairs_and_videos(seeing: Served, shown: Exhibit, stream: bool) -> None:
    asked = make_messages(shown.sample, shown.question, shown.make_urls())
    answer = seeing.chat(*asked, temperature=0, stream=stream)
    if stream:
        text, chunks = joined(answer)
        reason = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1]
    else:
        text, reason = answer.choices[0].message.content, answer.choices[0].finish_reason
    assert (text, reason) == (shown.question.answer, "stop")


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("How many corners does a triangle have?", "three"),
        ("Who are you?", "I am a tiny InternVL2 and I see shapes."),
    ],
)
def test_text_alone(seeing: Served, question: str, right: str) -> None:
    answer = seeing.chat({"role": "user", "content": question}, temperature=0)
    assert answer.choices[0].message.content == right


def test_a_conversation_about_a_picture_ends_in_chinese(seeing: Served, picture_uri: str) -> None:
    said: list[dict[str, Any]] = [image_message("What is in the picture?", picture_uri)]
    first = seeing.chat(*said, temperature=0).choices[0].message.content
    assert first == CONTENTS
    said += [
        {"role": "assistant", "content": first},
        {"role": "user", "content": "圆形是什么颜色？"},
    ]
    assert seeing.chat(*said, temperature=0).choices[0].message.content == "红色"


# Each of these answers is far likelier than the next one: rounding changes none of them.
SEEN = '{"a red circle, a blue square and a green triangle'
COLOURS = {"enum": ["green", "blue", "red"]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "colour", "schema": COLOURS}}
FORMS: list[tuple[str, dict[str, Any], str, str]] = [
    ("What is in the picture?", {"response_format": {"type": "json_object"}}, SEEN, "length"),
    ("What colour is the circle?", {"response_format": SCHEMA}, '"red"', "stop"),
    ("What colour is the circle?", {"guided_choice": ["green", "blue", "red"]}, "red", "stop"),
    ("What colour is the square?", {"guided_regex": "(red|green|blue|black)"}, "blue", "stop"),
    (
        "What colour is the triangle?",
        {"guided_grammar": 'start: COLOUR\nCOLOUR: "red" | "green" | "yellow"'},
        "green",
        "stop",
    ),
]


@pytest.mark.parametrize(
    ("question", "form", "answer", "reason"), FORMS, ids=[*map(str, range(len(FORMS)))]
)
def test_an_answer_of_a_given_form_is_right(
    seeing: Served,
    picture_uri: str,
    question: str,
    form: dict[str, Any],
    answer: str,
    reason: str,
) -> None:
    message = image_message(question, picture_uri)
    found = seeing.chat(message, temperature=0, max_tokens=13, extra_body=form)
    assert found.choices[0].message.content == answer
    assert found.choices[0].finish_reason == reason


def test_a_launch_may_have_a_stop_of_its_own(seeing: Served) -> None:
    options = {"extra_body": {"guided_choice": [f"a {STOP} here"]}}
    choice = seeing.chat({"role": "user", "content": "?"}, **options).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("a ", "stop")


def ask(served: Served, sample: Sample) -> bool:
    question = sample.questions[0]
    urls = [image_uri(picture.draw()) for picture in sample.pictures]
    answer = served.chat(*make_messages(sample, question, urls), temperature=0)
    return bool(answer.choices[0].message.content == question.answer)


def test_many_clients_ask_about_pictures_that_were_never_trained_on(seeing: Served) -> None:
    unseen = list(islice(draw_samples("held-out", 11, [("picture", 0.8), ("pair", 0.2)]), 40))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        right = list(pool.map(lambda sample: ask(seeing, sample), unseen))
    assert sum(right) >= LEAST_RIGHT * len(unseen)
