"""Several cards: over how many vLLM divides a model, compared with those that it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError


def choose_size(heads: int, devices: int) -> int:
    """Return the largest number of devices that the attention heads can be divided among; 1 where
    there are none."""
    return next(n for n in range(max(devices, 1), 0, -1) if heads % n == 0)


def check_cards(config: Mapping[str, Any], cards: int, workers: int = 1) -> None:
    """Compare the cards that a launch is for with those that it was given, where it has any.

    Raises:
        CheckpointError: they disagree, and vLLM would wait for the rest for ever.
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
