"""RMSNorm in few operations computes what it is by its formula."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from xinference_internvl2.transformers.model.rms_norm import RMSNorm


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 2**-7)])
@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (1e-4, 0), (1, 30), (200, -50)])
def test_rows_are_normalized_by_their_root_mean_square(
    dtype: torch.dtype, error: float, scale: float, offset: float
) -> None:
    norm = SimpleNamespace(weight=nn.Parameter(torch.rand(96).to(dtype)), variance_epsilon=1e-6)
    rows = (torch.randn(2, 5, 96) * scale + offset).to(dtype)
    exact = rows.double()
    mean = exact.square().mean(dim=-1, keepdim=True)
    wanted = exact / (mean + 1e-6).sqrt() * norm.weight
    assert RMSNorm(norm)(rows).is_contiguous()
    assert torch.allclose(RMSNorm(norm)(rows).double(), wanted, rtol=error, atol=error / 100)
