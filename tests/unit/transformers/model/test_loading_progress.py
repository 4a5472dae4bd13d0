"""How much is loaded is reported while it grows, to its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers.utils import logging

from tests.tiny import make_checkpoint
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.loading_progress import (
    STEP,
    _watch,
    watch_loading,
)


def test_loading_is_reported_to_its_end(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path, backbone="internlm2", shards=2)
    parts: list[float] = []
    load_model(checkpoint, report=parts.append)
    assert parts == sorted(parts)
    assert 3 < len(parts) <= 1 / STEP
    assert parts[0] < 0.5
    assert parts[-1] == 1


@pytest.mark.parametrize(
    ("args", "watched"), [((), False), ((iter("ab"),), False), (("ab",), True)]
)
def test_only_what_has_a_length_is_reported(args: tuple[object, ...], watched: bool) -> None:
    bar = _watch(print, lambda *_: "a bar", args, {})
    assert (bar == "a bar") is not watched


@pytest.mark.parametrize(
    ("total", "first"), [(1, 1), (19, 1), (20, 1), (21, 2), (39, 2), (40, 2), (41, 3)]
)
def test_a_step_is_reported_once_it_is_whole_and_the_end_in_any_case(
    total: int, first: int
) -> None:
    parts: list[float] = []
    bar = _watch(parts.append, lambda items: items, (range(total),), {})
    assert [*bar] == [*range(total)]
    assert parts[0] == first / total >= STEP
    assert parts[-1] == 1
    assert len({*parts}) == len(parts)


def test_who_watched_before_watches_again() -> None:
    def hook(factory: object, args: object, options: object) -> None:
        """Of somebody else."""

    before = logging.set_tqdm_hook(hook)
    try:
        with pytest.raises(CheckpointError), watch_loading(print):
            raise CheckpointError("x")
        assert logging.set_tqdm_hook(before) is hook
    finally:
        logging.set_tqdm_hook(before)
