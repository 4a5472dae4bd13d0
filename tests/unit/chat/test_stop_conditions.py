"""What ends an answer: of its request, of the launch, and of the prompt format."""

from __future__ import annotations

from dataclasses import replace

from xinference_internvl2.chat.prepare import prepare
from xinference_internvl2.chat.served_checkpoint import ServedCheckpoint
from xinference_internvl2.chat.stop_conditions import find_format_stop_ids

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
