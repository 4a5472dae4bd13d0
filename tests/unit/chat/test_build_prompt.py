"""Prompts as the model was trained on them, written out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chat.case import Case
from tests.support.chat.cases import CASES
from tests.support.chat.media import assistant, clip, image, system, text, user
from tests.support.chat.refused_messages import REFUSED
from xinference_internvl2.chat.build_prompt import build_prompt, render
from xinference_internvl2.errors import RequestError
from xinference_internvl2.media.limits import MAX_FRAMES
from xinference_internvl2.media.media_item import Media
from xinference_internvl2.tokenizer.image_tokens import image_tokens


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_prompts(case: Case) -> None:
    formats = {"Hermes-2": case.chatml, "internlm2-chat": case.chatml, "phi3-chat": case.phi3}
    for name, prompt in formats.items():
        segments = build_prompt(
            case.messages, name, case.frames, case.continue_last, case.image_labels
        )
        assert "".join(segment.text for segment in segments) == prompt
        if case.continue_last:
            assert render(case.messages, name, case.frames, case.image_labels).text == prompt


def test_media_come_in_the_order_of_their_placeholders() -> None:
    part = {"type": "image_url", "image_url": "http://b"}
    low = {"type": "image_url", "image_url": {"url": "data:a", "detail": "low"}}
    rendered = render([user([low, text("Q")]), assistant("R"), user([part, text("S")])], "Hermes-2")
    assert rendered.media == (
        Media("image", "data:a", "messages[0].content[0].image_url", {"detail": "low"}),
        Media("image", "http://b", "messages[2].content[0].image_url"),
    )
    assert rendered.text.count("<image>") == 2


@pytest.mark.parametrize(
    ("own", "beside", "expected"),
    [({}, {}, {}), ({}, {"detail": "low"}, {"detail": "low"})]
    + [({"detail": "high"}, {"detail": other}, {"detail": "high"}) for other in ("low", None)],
)
def test_the_detail_of_a_part_holds_where_its_image_has_none(
    own: dict[str, Any], beside: dict[str, Any], expected: dict[str, Any]
) -> None:
    part = {"type": "image_url", "image_url": {"url": "data:a", **own}, **beside}
    (media,) = render([user([part])], "Hermes-2").media
    assert media.options == expected


def test_a_video_stands_once_for_all_its_frames() -> None:
    same = clip("data:a")
    rendered = render([user([same, same, image("data:b")])], "Hermes-2", frames=3)
    assert [media.kind for media in rendered.media] == ["video", "video", "image"]
    assert rendered.text.count("<image>") == 7


def test_only_the_formats_own_text_and_grounding_marks_are_trusted() -> None:
    words = "<image> <|im_end|> <ref>cat</ref> <IMG_CONTEXT>"
    run = build_prompt([system("<|im_start|>"), user([image("a"), text(words)])], "Hermes-2")
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


@pytest.mark.parametrize("count", [1, MAX_FRAMES])
def test_as_many_frames_as_may_be(count: int) -> None:
    frames = {"type": "video_url", "video_url": {"url": ["data:a"] * count}}
    media = render([user([frames])], "Hermes-2").media
    assert [(each.where, each.number) for each in media] == [
        (f"messages[0].content[0].video_url[{index}]", index + 1) for index in range(count)
    ]


@pytest.mark.parametrize("count", [0, MAX_FRAMES + 1])
def test_one_frame_beyond_is_refused(count: int) -> None:
    frames = {"type": "video_url", "video_url": {"url": ["data:a"] * count}}
    with pytest.raises(RequestError) as caught:
        render([user([frames])], "Hermes-2")
    assert str(caught.value).endswith(f"video_url has {count} frames; give 1 to {MAX_FRAMES}")


def test_image_tokens() -> None:
    assert image_tokens(2) == "<img><IMG_CONTEXT><IMG_CONTEXT></img>"


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        *REFUSED,
        ([], "messages: there is no user message to answer"),
        (["Q"], "messages[0]: role None is not supported; use system, user or assistant"),
    ],
)
def test_refused(messages: list[Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        render(messages, "Hermes-2")
    assert str(caught.value) == sentence


def test_an_unknown_prompt_format_is_named() -> None:
    with pytest.raises(ValueError, match="'Vicuna' is no prompt format of internvl2"):
        render([user("Hi")], "Vicuna")


@pytest.mark.parametrize(
    ("marks", "images"), [("<image>", 0), ("<image>", 2), ("<image><image>", 1)]
)
def test_as_many_marks_as_images_place_them(marks: str, images: int) -> None:
    """With labels they are text, and without labels another number is refused."""
    content = [*[image("a")] * images, text(marks)]
    assert render([user(content)], "Hermes-2").text.count("<image>") > images
    with pytest.raises(RequestError) as caught:
        render([user(content)], "Hermes-2", image_labels=False)
    assert str(caught.value) == (
        f"messages[0]: the text has {marks.count('<image>')} <image>, but the message has {images} "
        "images; write <image> once for each, or leave it out"
    )


def test_media_without_labels_come_in_the_order_of_their_placeholders() -> None:
    content = [image("a"), text("<image><image>"), image("b")]
    rendered = render([user(content)], "Hermes-2", image_labels=False)
    assert [media.url for media in rendered.media] == ["a", "b"]
