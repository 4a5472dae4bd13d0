"""The floating-point type that a model is computed in: the one asked for, or one that suits."""

from __future__ import annotations

from typing import cast

import torch

from ...errors import CheckpointError


def read_dtype(asked: object, name: str = "torch_dtype") -> torch.dtype | None:
    """Return the type that the option `name` asks for; None if it leaves it to us.

    Raises:
        CheckpointError: it is none of those that the model can be computed in.
    """
    if asked in (None, "auto"):
        return None
    dtype = asked if isinstance(asked, torch.dtype) else getattr(torch, str(asked), None)
    if dtype not in (torch.bfloat16, torch.float16, torch.float32):
        raise CheckpointError(f"{name} {asked} is not supported; use bfloat16, float16 or float32")
    return cast(torch.dtype, dtype)


def choose_dtype(own: torch.dtype, device: str, preferred: torch.dtype | None) -> torch.dtype:
    """Return the type for a launch that names none.

    Args:
        own: that of the checkpoint.
        preferred: what Xinference prefers on the device; on a CPU float32.
    """
    if device == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        # Half the memory where the CPU has bfloat16, hundreds of times slower elsewhere; and few
        # have float16.
        return torch.bfloat16 if own == torch.float16 else own
    return preferred or own
