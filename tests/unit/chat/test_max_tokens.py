"""How long an answer may be."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.chat.build_sampling_params import read_sampling
from xinference_internvl2.chat.max_tokens import (
    DEFAULT_MAX_TOKENS,
    read_lengths,
    rename_max_completion_tokens,
)
from xinference_internvl2.chat.read_options import read_options
from xinference_internvl2.errors import RequestError


def test_an_answer_is_no_longer_than_the_room_left() -> None:
    found = [read_lengths({"max_tokens": most}, 2000) for most in (1999, 2000, 2001)]
    assert found == [(1999, 0), (2000, 0), (2000, 0)]
    assert read_lengths({"min_tokens": 9, "max_tokens": 9}, 5) == (5, 5)


def test_max_tokens_are_those_of_the_request_then_of_the_server() -> None:
    found = [read_lengths(given, 2000, 7) for given in ({}, {"max_tokens": 9})]
    assert found == [(7, 0), (9, 0)]
    assert read_lengths({}, 2000) == (DEFAULT_MAX_TOKENS, 0)
    for given, most in (({}, 7), ({"max_completion_tokens": 9}, 9)):
        assert read_sampling(read_options(given), 2000, 7).max_tokens == most


def test_an_answer_cannot_have_to_be_longer_than_it_may_be() -> None:
    assert read_lengths({"min_tokens": 7}, 2000, 7) == (7, 7)
    with pytest.raises(RequestError, match="min_tokens 8 is more than the 7 of max_tokens"):
        read_lengths({"min_tokens": 8}, 2000, 7)


@pytest.mark.parametrize("others", [{}, {"max_tokens": 5}])
def test_max_completion_tokens_is_another_name(others: dict[str, Any]) -> None:
    options = {"max_completion_tokens": 5, **others}
    rename_max_completion_tokens(options)
    assert options == {"max_tokens": 5}


def test_two_names_have_no_two_values() -> None:
    with pytest.raises(RequestError, match="max_completion_tokens contradicts max_tokens"):
        rename_max_completion_tokens({"max_completion_tokens": 5, "max_tokens": 6})
