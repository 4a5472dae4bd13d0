"""Linear layers as a CPU reads them fastest.

oneDNN computes in a layout of its own. Where a weight is not in it, each call brings it there
first; for the one row of a decoding step, that takes as long as the product itself.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel


class PackedLinear(nn.Module):
    """A linear layer whose weight is kept in oneDNN's layout alone, so that it needs no more memory
    than before; the result is the same."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(…, in features) → (…, out features)"""
        packed: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self._weight, self._bias, "none", [], ""
        )
        return packed


def pack(model: PreTrainedModel) -> None:
    """Pack the language model where it is in bfloat16 on a CPU that computes in it.

    The vision tower always has many rows, for which the layout makes no difference.
    """
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return
    for parent in (model, *model.model.language_model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear and _is_packable(layer.weight):
                setattr(parent, name, PackedLinear(layer))


def _is_packable(weight: torch.Tensor) -> bool:
    return weight.dtype == torch.bfloat16 and weight.device.type == "cpu"
