"""Deterministic maker of small InternVL2 checkpoints in the published format.

>>> make_checkpoint("/some/directory", backbone="qwen2")  # doctest: +SKIP
"""

from .awq import dequantize_awq, quantize_awq
from .checkpoint import make_checkpoint
from .dims import PRESETS, Dims
from .edit import edit_config, set_sliding_window, shorten_context

__all__ = [
    "PRESETS",
    "Dims",
    "dequantize_awq",
    "edit_config",
    "make_checkpoint",
    "quantize_awq",
    "set_sliding_window",
    "shorten_context",
]
