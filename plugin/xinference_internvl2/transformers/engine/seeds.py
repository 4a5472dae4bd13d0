"""The seed of each of the `n` answers to one prompt; vLLM has a rule of its own."""

from __future__ import annotations

import torch


def make_generator(seed: int | None, choice: int) -> torch.Generator:
    """Return the random numbers of an answer.

    Args:
        seed: of the request; None for random ones.
        choice: number of the answer, counted from 0.
    """
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed + choice)
    return generator
