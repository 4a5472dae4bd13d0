"""Every kind of message through the server, on both engines."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from PIL import Image

from tests.support.chat.case import BANNER, CLIP, ONE, SQUARE, STILL, WIDE, Case
from tests.support.chat.cases import CASES
from tests.support.chat.media import clip, encode, image, text, uri, user, video
from tests.support.chat.refused_messages import REFUSED
from tests.support.served import Served
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.media.tiles import Tiling
from xinference_internvl2.media.video_file import open_video

from .reference import Pictures, greedy, inputs

pytestmark = pytest.mark.e2e
TOKENS = 8
HI = user("Hi")


def pictures_of(case: Case, tile_size: int) -> Pictures:
    """What the model is to see, from the parts of the messages in their order."""
    found: list[Any] = []
    contents = [message["content"] for message in case.messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    most = case.options.get("mm_processor_kwargs", {}).get("max_dynamic_patch", 12)
    for part in parts:
        kind = part["type"] if isinstance(part, dict) else "text"
        source = part.get(kind, {})
        url = source["url"] if isinstance(source, dict) and "url" in source else source
        if "image" in kind:
            low = isinstance(source, dict) and source.get("detail") == "low"
            found.append((WIDE if url == BANNER else ONE, 1 if low else most))
        elif kind == "video_url":
            file = open_video(video(24 if url == CLIP else 1), "test")
            for tiles in file.cut(case.frames, Tiling(tile_size, max_tiles=1)):
                found.append((Image.fromarray(tiles[0].transpose(1, 2, 0)), 1))
        elif kind == "video":
            found += [(WIDE if url == BANNER else ONE, 1) for url in part["video"]]
    return found


# Where a text has the letters `<image>`, the literal prompt does not say which ones are a picture.
PLAIN = [
    case
    for case in CASES
    if case.chatml.count("<image>") == len(case.tiles) or "control tokens" in case.name
]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_the_answer_is_the_models(served: Served, case: Case) -> None:
    pictures = pictures_of(case, read_config(served.checkpoint).tile_size)
    values = inputs(served.checkpoint, case.chatml, pictures)
    answer = served.chat(*case.messages, max_tokens=TOKENS, extra_body=case.options)
    if "control tokens" in case.name:
        # Read as what they are not, they would be as many tokens as the prompt has letters.
        assert answer.usage.prompt_tokens > values["input_ids"].shape[1]
        return
    assert answer.usage.prompt_tokens == values["input_ids"].shape[1]
    assert answer.choices[0].message.content == greedy(served.checkpoint, values, TOKENS)


@pytest.mark.parametrize(("messages", "sentence"), REFUSED)
def test_a_message_at_fault_is_named(
    served: Served, messages: list[dict[str, Any]], sentence: str
) -> None:
    assert served.refusal(*messages) == sentence


PNG = encode(ONE)
MP4 = video(8)
HEADER = b"IHDR" + (50_000).to_bytes(4, "big") * 2 + PNG[24:29]
HUGE = PNG[:12] + HEADER + zlib.crc32(HEADER).to_bytes(4, "big") + PNG[33:]
NAMED = "messages[0].content[0]"
BAD_MEDIA = {
    "empty image": (image("data:image/png;base64,"), f"{NAMED}.image_url"),
    "no image": (image(uri(b"Not an image.")), f"{NAMED}.image_url is not an image"),
    "broken image": (image(uri(PNG[:60])), f"{NAMED}.image_url is not an image"),
    "image cut short": (image(uri(PNG[:-400])), f"{NAMED}.image_url is not an image"),
    "bomb": (image(uri(HUGE)), f"{NAMED}.image_url has 50000×50000 pixels"),
    "no base64": (image("data:image/png;base64,!"), f"{NAMED}.image_url cannot be fetched"),
    "nobody there": (image("http://nobody.invalid/x.png"), f"{NAMED}.image_url cannot be fetched"),
    "private address": (image("http://127.0.0.1:9/x.png"), f"{NAMED}.image_url cannot be fetched"),
    "local file": (image("file:///etc/passwd"), "Local file media urls are rejected"),
    "local path": (clip("/etc/passwd"), "Local file media urls are rejected"),
    "other scheme": (clip("ftp://example.com/x"), "Unsupported media url scheme: ftp"),
    "image as a video": (clip(SQUARE), f"{NAMED}.video_url is not a video"),
    "video as an image": (image(STILL), f"{NAMED}.image_url is not an image"),
    "empty video": (clip("data:video/mp4;base64,"), f"{NAMED}.video_url"),
    "broken video": (clip(uri(MP4[: len(MP4) // 2])), f"{NAMED}.video_url is not a video"),
}


@pytest.mark.parametrize("name", BAD_MEDIA)
def test_a_file_at_fault_is_named(served: Served, name: str) -> None:
    part, sentence = BAD_MEDIA[name]
    assert sentence in served.refusal(user([part, text("What?")]))
    assert sentence in served.refusal(user([part, text("What?")]), stream=True)
    assert served.chat(HI, max_tokens=1).usage.completion_tokens == 1


def test_a_request_of_too_many_images_is_refused(served: Served) -> None:
    images, videos = [image(SQUARE)] * 17, [clip(STILL)] * 5
    assert "17 images, but at most 16 are allowed" in served.refusal(user(images))
    assert "5 videos, but at most 4 are allowed" in served.refusal(user(videos))


def test_the_most_images_and_frames_are_answered(served: Served) -> None:
    content = [*[image(SQUARE)] * 16, *[clip(STILL)] * 4, text("What?")]
    options = {"mm_processor_kwargs": {"num_frames": 16}}
    answer = served.chat(user(content), max_tokens=2, extra_body=options)
    assert answer.usage.prompt_tokens > (16 + 4 * 16) * 16


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(served: Served) -> None:
    """Counted with the tokens of its images."""
    content = [*[image(SQUARE)] * 16, text("好" * 33000)]
    detail = served.refusal(user(content))
    found = [int(word.strip(";,")) for word in detail.split() if word.strip(";,").isdigit()]
    assert found[0] > 33000 + 16 * 16
    assert found[1] == 32768
