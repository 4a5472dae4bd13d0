"""The places of images in a prompt, as vLLM expects them."""

from __future__ import annotations

import pytest

from xinference_internvl2.tokenizer.image_tokens import image_tokens
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer
from xinference_internvl2.vllm.placeholders import insert_placeholders


def encode(tokenizer: InternVL2Tokenizer, *texts: str) -> list[int]:
    return [id for text in texts for id in tokenizer.encode(text, add_special_tokens=False)]


@pytest.mark.parametrize("before", ["", "a fox"])
@pytest.mark.parametrize("after", ["", "what?"])
@pytest.mark.parametrize("images", [0, 1, 2])
def test_each_image_is_one_placeholder(
    tokenizer: InternVL2Tokenizer, before: str, after: str, images: int
) -> None:
    ids = encode(tokenizer, *[before, image_tokens(3)] * images, after)
    wanted = encode(tokenizer, *[before, "<image>"] * images, after)
    assert insert_placeholders(ids, tokenizer) == wanted


def test_a_placeholder_in_the_text_of_a_user_is_spelled_out(tokenizer: InternVL2Tokenizer) -> None:
    picture, placeholder = encode(tokenizer, image_tokens(1)), encode(tokenizer, "<image>")
    letters = tokenizer.convert_tokens_to_ids([*"<image>"])
    assert letters != placeholder
    part = placeholder[1:]
    ids = [*part, *placeholder, *part, *placeholder, *picture, *placeholder]
    wanted = [*part, *letters, *part, *letters, *placeholder, *placeholder]
    assert insert_placeholders(ids, tokenizer) == wanted
