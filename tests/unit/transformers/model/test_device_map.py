"""Where a model is put."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from xinference_internvl2.transformers.model.device_map import choose_device_map, is_cpu


@pytest.mark.parametrize(
    ("cards", "can_spread", "where"),
    [(0, True, {"": "cuda"}), (1, True, "auto"), (1, False, {"": "cuda"})],
)
def test_a_model_is_spread_over_cards_where_there_is_one(
    cards: int, can_spread: bool, where: Any
) -> None:
    assert choose_device_map("cuda", cards, can_spread=can_spread) == where


@pytest.mark.parametrize(
    ("device_map", "on_cpu"),
    [
        (None, True),
        ("cpu", True),
        ({"": torch.device("cpu")}, True),
        ("auto", False),
        ({"model": "cpu", "lm_head": 0}, False),
    ],
)
def test_memory_is_compared_where_all_weights_go_to_the_cpu(device_map: Any, on_cpu: bool) -> None:
    assert is_cpu(device_map) is on_cpu
