"""Where a chat is at fault, in the words of the API of the request."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.host.api_call import ApiCall
from xinference_internvl2.host.error_fields import translate_fields

PLACES = ["instructions", "input[0]", "input[2]"]
NAMES = {"max_tokens": "max_output_tokens", "response_format.json_schema": "text.format"}


@pytest.mark.parametrize(
    ("message", "body", "expected"),
    [
        ("messages[0]: it is wrong", {}, "instructions: it is wrong"),
        ("messages[0].content[1].odd", {}, "instructions[1].odd"),
        ("messages[2].content[1].odd", {}, "input[2].content[1].odd"),
        # One beyond the last: the words of a text that the message quotes.
        ("messages[2] or messages[3]", {}, "input[2] or messages[3]"),
        ("max_tokens 0 is wrong", {}, "max_output_tokens 0 is wrong"),
        ("max_tokens", {}, "max_output_tokens"),
        ("max_tokens 0 is wrong", {"max_tokens": 0}, "max_tokens 0 is wrong"),
        ("max_tokens_at_once 0 is wrong", {}, "max_tokens_at_once 0 is wrong"),
        ("response_format.json_schema.odd", {}, "text.format.odd"),
        ("n 3 is more than max_tokens", {}, "n 3 is more than max_tokens"),
    ],
)
def test_the_place_is_that_of_the_api(message: str, body: dict[str, Any], expected: str) -> None:
    call = ApiCall([], body, places=PLACES, names=NAMES)
    assert translate_fields(call, message) == expected
