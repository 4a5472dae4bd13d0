"""Marks tests that need instructions which not every CPU has."""

from __future__ import annotations

import pytest
import torch

needs_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this CPU has no bfloat16"
)

needs_avx = pytest.mark.skipif(
    "AVX" not in torch.backends.cpu.get_cpu_capability(), reason="this CPU has no AVX"
)
