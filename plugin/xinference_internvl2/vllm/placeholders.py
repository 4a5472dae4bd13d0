"""Marks the places of images in a prompt, as vLLM expects them."""

from __future__ import annotations

from ..chat.media_order import PLACEHOLDER
from ..tokenizer.image_tokens import IMAGE_END, IMAGE_START
from ..tokenizer.tokenizer import InternVL2Tokenizer


def insert_placeholders(ids: list[int], tokenizer: InternVL2Tokenizer) -> list[int]:
    """Replace every image's run of image tokens by vLLM's placeholder.

    vLLM replaces as many placeholders as there are images, from the left. So text of a user that
    encodes to a placeholder is spelled out in tokens of single letters.
    """
    start, end = tokenizer.convert_tokens_to_ids([IMAGE_START, IMAGE_END])
    placeholder = tokenizer.encode(PLACEHOLDER, add_special_tokens=False)
    result: list[int] = []
    position = 0
    for _ in range(ids.count(start)):
        image = ids.index(start, position)
        result += _spell_out(placeholder, ids[position:image], tokenizer) + placeholder
        position = ids.index(end, image) + 1
    return result + ids[position:]


def _spell_out(placeholder: list[int], ids: list[int], tokenizer: InternVL2Tokenizer) -> list[int]:
    letters = tokenizer.convert_tokens_to_ids(list(PLACEHOLDER))
    result: list[int] = []
    for token in ids:
        result.append(token)
        if result[-len(placeholder) :] == placeholder:
            result[-len(placeholder) :] = letters
    return result
