"""Divides a model among several cards, and checks that the launch was given as many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError


def choose_size(heads: int, devices: int) -> int:
    """Return the most of `devices` among which the attention heads can be divided; 1 for none."""
    return next(n for n in range(max(devices, 1), 0, -1) if heads % n == 0)


def check_cards(config: Mapping[str, Any], cards: int, workers: int = 1) -> None:
    """Check that a launch was given the cards that its options ask for, if it was given any.

    Raises:
        CheckpointError: they differ; vLLM would wait for the missing ones for ever.
    """
    if workers > 1 and not cards:
        raise CheckpointError(
            f"n_worker {workers} is for the cards of {workers} workers, and this one has none; "
            "launch without --n-worker"
        )
    tensor, pipeline = (
        config.get(f"{kind}_parallel_size") or default
        for kind, default in (("tensor", cards), ("pipeline", workers))
    )
    if cards and tensor * pipeline != cards * workers:
        raise CheckpointError(
            f"tensor_parallel_size {tensor} times pipeline_parallel_size {pipeline} is for "
            f"{tensor * pipeline} cards, but the launch was given {cards * workers}; add "
            f"--n-gpu {-(-tensor * pipeline // workers)}"
        )
