"""Over how many cards vLLM divides a model, and a launch that was given others."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.vllm.tensor_parallel import check_cards, choose_size


@pytest.mark.parametrize(
    ("heads", "devices", "size"), [(14, 0, 1), (14, 1, 1), (14, 2, 2), (14, 4, 2), (16, 4, 4)]
)
def test_heads_are_divided_among_as_many_cards_as_they_can(
    heads: int, devices: int, size: int
) -> None:
    assert choose_size(heads, devices) == size


@pytest.mark.parametrize(
    ("config", "cards", "workers"),
    [
        ({}, 0, 1),
        ({}, 4, 1),
        ({"tensor_parallel_size": 2}, 0, 1),
        ({"tensor_parallel_size": 2}, 2, 1),
        ({"tensor_parallel_size": 2, "pipeline_parallel_size": 2}, 4, 1),
        ({"tensor_parallel_size": 2, "pipeline_parallel_size": 2}, 2, 2),
    ],
)
def test_cards_that_agree(config: dict[str, Any], cards: int, workers: int) -> None:
    check_cards(config, cards, workers)


@pytest.mark.parametrize(
    ("config", "cards", "workers", "remedy"),
    [
        (
            {"tensor_parallel_size": 2},
            1,
            1,
            "2 cards, but the launch was given 1; add --n-gpu 2",
        ),
        (
            {"tensor_parallel_size": 1},
            2,
            1,
            "1 cards, but the launch was given 2; add --n-gpu 1",
        ),
        (
            {"tensor_parallel_size": 4},
            2,
            2,
            "8 cards, but the launch was given 4; add --n-gpu 4",
        ),
    ],
)
def test_cards_that_disagree(config: dict[str, Any], cards: int, workers: int, remedy: str) -> None:
    with pytest.raises(CheckpointError, match=remedy):
        check_cards(config, cards, workers)


def test_several_workers_need_cards() -> None:
    with pytest.raises(CheckpointError, match="n_worker 2 is for the cards of 2 workers"):
        check_cards({}, 0, 2)
