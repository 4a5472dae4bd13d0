"""Fuses projections of the same rows into one product: q, k and v, or gate and up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn


def fuse_layers(owner: Any, name: str, parts: Sequence[str]) -> nn.Module:
    """The layer `name` of `owner`, or its `parts` as one layer."""
    if hasattr(owner, name):
        return cast(nn.Module, getattr(owner, name))
    layers = [getattr(owner, part) for part in parts]
    if any(type(layer) is not nn.Linear for layer in layers):  # quantized, or with adapters
        return JoinedLinear(layers)
    outputs = sum(layer.out_features for layer in layers)
    joined = nn.Linear(layers[0].in_features, outputs, layers[0].bias is not None, device="meta")
    for kind, _ in [*joined.named_parameters()]:
        together = torch.cat([getattr(layer, kind).detach() for layer in layers])
        setattr(joined, kind, nn.Parameter(together, requires_grad=False))
    return joined


class JoinedLinear(nn.Module):
    """Layers that read the same rows, with their outputs one after the other."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(…, in features) → (…, out features of all)"""
        return torch.cat([part(rows) for part in self.parts], dim=-1)
