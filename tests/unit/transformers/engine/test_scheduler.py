"""Who shares a step, and who waits: without a model."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest
import torch

from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.scheduler import CHUNK, Scheduler, fit_into_chunk
from xinference_internvl2.transformers.engine.sequence import Prompt, Request, Sequence, Status

IMAGE = 99


def request(
    tokens: int = 4, n: int = 1, most: int = 6, adapter: str | None = None, tiles: int = 0
) -> Request:
    prompt = Prompt([5] * tokens, [np.zeros(1)] * tiles, adapter=adapter)
    made = Request(prompt, SamplingParams(most, n=n), [], IMAGE, torch.device("cpu"))
    made.wanted = 9
    return made


def scheduler(
    *requests: Request, most: int = 16, tokens: float = math.inf, limit: float = math.inf
) -> Scheduler:
    def encoding(length: int) -> Hashable | None:
        return "short" if length <= limit else None

    made = Scheduler(most, tokens, encoding)
    for one in requests:
        made.add(one)
    return made


def start(made: Scheduler) -> None:
    """As if all that may begin had read its prompt."""
    made.schedule()
    for one in made.running:
        for sequence in one.sequences:
            sequence.status = Status.RUNNING


def in_step(made: Scheduler) -> list[Sequence]:
    return [sequence for batch in made.schedule().batches for sequence in batch]


def test_nothing_to_do_is_no_step() -> None:
    assert not scheduler().schedule()


@pytest.mark.parametrize(("n", "most", "begun"), [(1, 2, 2), (2, 4, 2), (2, 3, 1), (3, 5, 1)])
def test_as_many_sequences_begin_as_share_a_step(n: int, most: int, begun: int) -> None:
    requests = [request(n=n) for _ in range(3)]
    made = scheduler(*requests, most=most)
    made.schedule()
    assert made.running == requests[:begun]
    assert list(made.waiting) == requests[begun:]


@pytest.mark.parametrize(("tokens", "begun"), [(20, 2), (19, 1), (10, 1), (9, 1)])
def test_as_many_begin_as_there_is_memory_for(tokens: int, begun: int) -> None:
    """Each may come to 4 + 6 tokens; one that needs more than there is runs alone."""
    made = scheduler(request(), request(), tokens=tokens)
    made.schedule()
    assert len(made.running) == begun


def test_nobody_overtakes_who_waits_for_memory() -> None:
    made = scheduler(request(), request(tokens=90), request(), tokens=50)
    made.schedule()
    assert len(made.running) == 1


def test_a_paused_request_leaves_its_place_and_keeps_its_memory() -> None:
    first, second, third, fourth = (request() for _ in range(4))
    made = scheduler(first, second, third, fourth, most=1)
    for paused in (first, second):
        start(made)
        assert in_step(made) == paused.sequences
        paused.wanted = 0
    assert not made.schedule()
    assert list(made.waiting) == [third, fourth]
    first.wanted = 1
    assert in_step(made) == first.sequences


def test_sequences_share_a_step_by_adapter_and_encoding() -> None:
    requests = [request(adapter=adapter) for adapter in (None, "a", None, "a")]
    long = [request(tokens=9), request(tokens=9), request(tokens=8)]
    made = scheduler(*requests, *long, limit=8)
    start(made)
    batches = [[made.running.index(s.request) for s in b] for b in made.schedule().batches]
    assert batches == [[0, 2, 6], [1, 3], [4], [5]]


def test_prompts_are_read_between_decode_steps() -> None:
    running, new = request(), request()
    made = scheduler(running)
    start(made)
    made.add(new)
    for _ in range(3):
        step = made.schedule()
        assert step.prefill == new.sequences
        assert step.batches == [running.sequences]


def test_a_short_prompt_does_not_wait_for_long_ones_nor_they_for_ever() -> None:
    long, short = request(tokens=900), request(tokens=4)
    made = scheduler(long, short)
    chosen = [made.schedule().prefill for _ in range(4)]
    assert chosen == [long.sequences, short.sequences] * 2


def test_short_prompts_are_read_together_by_adapter_and_encoding() -> None:
    first, adapted, seeing = request(2), request(2, adapter="a"), request(2, tiles=1)
    beyond, second, long = request(9), request(3), request(CHUNK + 1)
    made = scheduler(first, adapted, seeing, beyond, second, long, limit=8)
    for _ in range(2):
        assert made.schedule().prefill == first.sequences + second.sequences
    for one, alone in ((first, adapted), (adapted, seeing), (seeing, beyond), (beyond, second)):
        made.remove(one)
        assert alone.sequences in [made.schedule().prefill for _ in range(2)]


@pytest.mark.parametrize(("tokens", "together"), [(CHUNK, 2), (CHUNK + 1, 1)])
def test_a_prompt_is_short_up_to_its_bound(tokens: int, together: int) -> None:
    made = scheduler(request(tokens=tokens), request(tokens=tokens))
    assert len(made.schedule().prefill) == together


@pytest.mark.parametrize(
    ("lengths", "fit"),
    [([CHUNK + 1], True), ([CHUNK - 3, 3], True), ([CHUNK - 3, 4], False)],
)
def test_a_sequence_alone_fits_and_several_up_to_a_chunk(lengths: list[int], fit: bool) -> None:
    sequences = [request(tokens=length).sequences[0] for length in lengths]
    assert fit_into_chunk(sequences) is fit


@pytest.mark.parametrize("begun", [True, False])
def test_what_is_removed_is_in_no_step(begun: bool) -> None:
    one, other = request(), request()
    made = scheduler(one, other, most=1)
    if begun:
        start(made)
    made.remove(one)
    made.remove(one)
    made.schedule()
    assert made.running == [other]


@pytest.mark.parametrize("over", [Status.FINISHED, Status.ABORTED])
def test_sequences_that_are_over_take_no_place(over: Any) -> None:
    two, one = request(n=2), request()
    made = scheduler(two, one, most=2)
    start(made)
    assert list(made.waiting) == [one]
    two.sequences[0].status = over
    made.schedule()
    assert made.running == [two, one]
