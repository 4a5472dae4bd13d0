"""What ends an answer: of its request, of the launch, and of the prompt format."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xinference_internvl2.chat.prepare import prepare
from xinference_internvl2.chat.served_checkpoint import ServedCheckpoint
from xinference_internvl2.chat.stop_conditions import (
    StopStringMatcher,
    find_format_stop_ids,
    read_launch_stop,
)

ASKED = {"role": "user", "content": "Hi"}


def test_nothing_ends_an_answer_that_is_to_go_on(model: ServedCheckpoint) -> None:
    assert prepare([ASKED], {}, model).stop_ids == find_format_stop_ids(model) != []
    assert prepare([ASKED], {"ignore_eos": True}, model).stop_ids == []


def test_a_request_adds_to_what_ends_every_answer(model: ServedCheckpoint) -> None:
    launched = replace(model, stop=("END",))
    request = prepare([ASKED], {"stop": "x", "stop_token_ids": [7]}, launched)
    assert request.sampling.stop == ("x", "END")
    assert request.stop_ids == [*find_format_stop_ids(model), 7]
    assert prepare([ASKED], {}, launched).sampling.stop == ("END",)
    on = prepare([ASKED], {"ignore_eos": True, "stop_token_ids": [7]}, launched)
    assert (on.stop_ids, on.sampling.stop) == ([7], ("END",))


def test_texts_of_a_launch_are_tokens_or_strings(model: ServedCheckpoint) -> None:
    assert read_launch_stop('["<ref>", "END"]', model.tokenizer) == (("<ref>",), ("END",))
    assert read_launch_stop("END", model.tokenizer) == ((), ("END",))
    assert read_launch_stop(None, model.tokenizer) == ((), ())


@pytest.mark.parametrize(("include", "text"), [(False, "a "), (True, "a STOP")])
def test_a_stop_string_may_be_spread_over_several_parts(include: bool, text: str) -> None:
    matcher = StopStringMatcher(["OPQ", "STOP"], include)
    parts = [matcher.add(part) for part in ("a S", "T", "OP b")]
    assert parts == ["a ", "", text.removeprefix("a ")]
    assert matcher.found == "STOP"


def test_the_start_of_a_stop_string_alone_is_text() -> None:
    matcher = StopStringMatcher(["STOP"])
    assert [matcher.add(part) for part in ("a ST", "Ox ", "S")] == ["a ", "STOx ", ""]
    assert (matcher.found, matcher.held_back) == (None, "S")


def test_a_stop_string_does_not_count_before_it_may() -> None:
    matcher = StopStringMatcher(["STOP"])
    assert matcher.add("a STOP", may_stop=False) == "a STOP"
    assert matcher.found is None
