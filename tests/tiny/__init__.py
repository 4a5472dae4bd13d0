"""Deterministic maker of small InternVL2 checkpoints in the published format.

>>> make_checkpoint("/some/directory", backbone="qwen2")  # doctest: +SKIP
"""

from .awq import dequantized_twin, quantize_awq
from .checkpoint import make_checkpoint
from .dims import PRESETS, Dims

__all__ = ["PRESETS", "Dims", "dequantized_twin", "make_checkpoint", "quantize_awq"]
