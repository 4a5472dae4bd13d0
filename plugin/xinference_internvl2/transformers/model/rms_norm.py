"""RMSNorm in few operations: on a CPU as the LayerNorm of twice the numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import layer_norm, rms_norm


class RMSNorm(nn.Module):
    """Computes what an RMSNorm of transformers does."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight, self._epsilon = norm.weight, norm.variance_epsilon
        self._mirrored = torch.cat([norm.weight.detach()] * 2) if norm.weight.is_cpu else None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(…, hidden size) → the same shape"""
        size = hidden.shape[-1]
        if self._mirrored is None:
            return rms_norm(hidden, (size,), self.weight, self._epsilon)
        # On a CPU that is eight operations. The LayerNorm of x and -x, whose mean is 0, is one.
        mirrored = torch.cat([hidden, -hidden], dim=-1)
        normed = layer_norm(mirrored, (2 * size,), self._mirrored, None, self._epsilon)
        return normed[..., :size].contiguous()  # as a product of 4-bit weights takes it
