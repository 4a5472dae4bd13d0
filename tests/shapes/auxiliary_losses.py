"""Auxiliary losses: what is learned beside the answers, so that they take less training."""

from __future__ import annotations

import torch
from torch import nn

from .batches import Batch
from .model import DIMS
from .patch_labels import CLASSES, MAX_TILES, ZONES, Views
from .random_pictures import FRAMES

MAX_PICTURES = max(FRAMES)


class AuxiliaryHeads(nn.Module):
    """Predicts of every image token what it sees and where, before the language model, and which
    picture and tile it is of, halfway through it. What a linear layer can tell is easy to use."""

    def __init__(self) -> None:
        super().__init__()
        self.sights = nn.Linear(DIMS.hidden, CLASSES + ZONES**2)
        self.orders = nn.Linear(DIMS.hidden, MAX_PICTURES + MAX_TILES + 1)

    def compute_sight_loss(self, features: torch.Tensor, seen: Views | Batch) -> torch.Tensor:
        """Return the loss of what is predicted from `features` (T, C, D)."""
        logits = self.sights(features.flatten(0, -2)).split([CLASSES, ZONES**2], dim=1)
        kinds, zones = seen.cells.flatten(), seen.zones.flatten()
        loss = sum_cross_entropy(logits[0], kinds)
        return loss + sum_cross_entropy(logits[1][kinds > 0], zones[kinds > 0])

    def compute_order_loss(self, halfway: torch.Tensor, orders: torch.Tensor) -> torch.Tensor:
        """Return the loss of what is predicted from `halfway` (T, C, D), given `orders` (T, 2)."""
        logits = self.orders(halfway.flatten(0, -2)).split([MAX_PICTURES, MAX_TILES + 1], dim=1)
        right = orders.repeat_interleave(halfway.shape[1], dim=0)
        return sum_cross_entropy(logits[0], right[:, 0]) + sum_cross_entropy(logits[1], right[:, 1])


def sum_cross_entropy(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The cross entropy of the logits (N, K) with what is right (N), as a sum over N."""
    return nn.functional.cross_entropy(logits, right, reduction="sum")
