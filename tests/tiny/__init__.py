"""Deterministic maker of small InternVL2 checkpoints in the published format.

>>> make_checkpoint("/some/directory", backbone="qwen2")  # doctest: +SKIP
"""

from .awq import dequantized_twin, quantize_awq
from .checkpoint import make_checkpoint
from .dims import PRESETS, Dims
from .edit import edit_config, shorten, slide

__all__ = [
    "PRESETS",
    "Dims",
    "dequantized_twin",
    "edit_config",
    "make_checkpoint",
    "quantize_awq",
    "shorten",
    "slide",
]
