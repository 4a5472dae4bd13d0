"""What is learned beside the answers, so that they are learned in less time."""

from __future__ import annotations

import torch
from torch import nn

from .batches import Batch
from .compose import FRAMES
from .model import DIMS
from .sight import CLASSES, MAX_TILES, ZONES, Views

MAX_PICTURES = max(FRAMES)


class Helper(nn.Module):
    """Says of every image token what it sees and where, before the language model, and which
    picture and tile it is of, halfway through it. What can be said so simply is easy to use."""

    def __init__(self) -> None:
        super().__init__()
        self.sights = nn.Linear(DIMS.hidden, CLASSES + ZONES**2)
        self.orders = nn.Linear(DIMS.hidden, MAX_PICTURES + MAX_TILES + 1)

    def sight(self, features: torch.Tensor, seen: Views | Batch) -> torch.Tensor:
        """The loss of what is said of `features` (T, C, D)."""
        said = self.sights(features.flatten(0, -2)).split([CLASSES, ZONES**2], dim=1)
        kinds, zones = seen.cells.flatten(), seen.zones.flatten()
        return summed_loss(said[0], kinds) + summed_loss(said[1][kinds > 0], zones[kinds > 0])

    def order(self, halfway: torch.Tensor, orders: torch.Tensor) -> torch.Tensor:
        """The loss of what is said of `halfway` (T, C, D), which are of `orders` (T, 2)."""
        said = self.orders(halfway.flatten(0, -2)).split([MAX_PICTURES, MAX_TILES + 1], dim=1)
        right = orders.repeat_interleave(halfway.shape[1], dim=0)
        return summed_loss(said[0], right[:, 0]) + summed_loss(said[1], right[:, 1])


def summed_loss(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The cross entropy of the logits (N, K) with what is right (N), as a sum over N."""
    return nn.functional.cross_entropy(logits, right, reduction="sum")
