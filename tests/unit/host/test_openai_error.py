"""The error object of a refused request: which field it names."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.host.api_call import ApiCall
from xinference_internvl2.host.openai_error import build_error


@pytest.mark.parametrize(
    ("message", "body", "options", "param"),
    [
        ("n 3 is too much", {"n": 3}, {}, "n"),
        ("n 3 is too much", {}, {"n": 3}, "n"),
        ("n 3 is too much", {}, {}, None),
        ("tools[0].name: it is wrong", {"tools": []}, {}, "tools[0].name"),
        ("tools[0].name: it is wrong", {}, {"tools": []}, "tools[0].name"),
        ("tools[0].name: it is wrong", {"tools[0].name": 1}, {}, None),
        ("3 is wrong", {"3": 1}, {}, None),
    ],
)
def test_the_field_is_named_where_the_request_has_it(
    message: str, body: dict[str, Any], options: dict[str, Any], param: str | None
) -> None:
    found = build_error(400, message, ApiCall([], body, options))
    assert found == {
        **{"message": message, "type": "invalid_request_error", "param": param, "code": None}
    }
