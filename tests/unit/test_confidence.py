"""How likely the fields of a JSON answer are, summed by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from xinference_internvl2 import field_probabilities


def tokens(*parts: tuple[str | bytes, float]) -> list[dict[str, Any]]:
    data = [(part.encode() if isinstance(part, str) else part, logprob) for part, logprob in parts]
    return [{"bytes": [*part], "logprob": logprob} for part, logprob in data]


ANSWER = tokens(
    *(('{"', -9.0), ("shape", -9.0), ('": "', -0.5), ("圆".encode()[:2], -0.25)),
    *(("圆".encode()[2:], -0.125), ('", "', -1.0), ("n", -9.0), ('": ', -9.0), ("1", -2.0)),
    *(("2", -3.0), (', "all": ', -9.0), ("[1, ", -0.1), ('{"a": 2}]', -0.2), ("}", -9.0)),
)


def test_a_field_is_as_likely_as_its_tokens() -> None:
    found = field_probabilities(ANSWER)
    assert {name: value for name, (value, _) in found.items()} == {
        "shape": "圆",
        "n": 12,
        "all": [1, {"a": 2}],
    }
    # A token that a quotation mark shares with what is beside it counts.
    sums = {"shape": -0.5 - 0.25 - 0.125 - 1.0, "n": -5.0, "all": -0.3}
    for name, total in sums.items():
        assert found[name].probability == pytest.approx(math.exp(total))


def test_the_openai_client_has_objects() -> None:
    assert field_probabilities([SimpleNamespace(**token) for token in ANSWER]) == (
        field_probabilities(ANSWER)
    )


def test_an_object_without_fields() -> None:
    assert field_probabilities(tokens(("{", -1.0), (" }", -1.0))) == {}
    assert field_probabilities(tokens((" { } \n", -1.0))) == {}


def test_white_space_belongs_to_no_field() -> None:
    found = field_probabilities(
        tokens(*[("\n", -9.0), ('{ "a" :\n', -9.0), ("1", -1.0), (" ,", -9.0)])
        + tokens(*[(' "b"', -9.0), (" : ", -9.0), ("[ 2 ]", -2.0), (" }", -9.0), (" \n", -9.0)])
    )
    assert found == {"a": (1, math.exp(-1.0)), "b": ([2], math.exp(-2.0))}


@pytest.mark.parametrize(
    "text",
    ["", "red", "[1]", '{"a": 1,', '{"a": 1,}', '{"a": 1', '{"a"', '{"a": 1 "b"', '{"a": "x'],
)
def test_what_is_no_whole_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the answer is no whole JSON object: "):
        field_probabilities(tokens((text, -1.0)))


@pytest.mark.parametrize(("size", "quoted"), [(80, 80), (81, 80)])
def test_as_much_of_an_answer_is_quoted(size: int, quoted: int) -> None:
    text = '"' + "x" * (size - 2) + '"'
    with pytest.raises(ValueError, match="the answer is no whole JSON object: ") as caught:
        field_probabilities(tokens((text, -1.0)))
    assert str(caught.value).endswith(repr(text[:quoted].encode()))
