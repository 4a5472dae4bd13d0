"""Weights quantized by bitsandbytes while they are loaded, in 8 or 4 bits: the language model's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from ...checkpoint.linear_layers import KEPT_MODULES, is_quantized_parameter
from ...errors import CheckpointError

# What is packed for a CPU with bfloat16 at a time, and the block of values with a scale.
_OUTPUTS, _INPUTS = 32, 64


def build_quantization_config(
    quantization: str, options: Mapping[str, Any], dtype: torch.dtype
) -> Any:
    """Return transformers' configuration of a launch; None if it quantizes nothing.

    Args:
        options: the `quantization_config` of the launch, which comes first.
        dtype: what quantized weights are computed in.
    """
    settings: dict[str, dict[str, Any]] = {
        "8-bit": {"load_in_8bit": True},
        "4-bit": {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
            "bnb_4bit_compute_dtype": dtype,
        },
    }
    chosen = {**settings.get(quantization, {}), **options}
    return BitsAndBytesConfig(**chosen) if chosen else None


def skip_other_modules(quantization_config: Any) -> Any:
    """The configuration, told to leave all but the language model as it is."""
    if getattr(quantization_config, "llm_int8_skip_modules", False) is None:
        quantization_config.llm_int8_skip_modules = list(KEPT_MODULES)
    return quantization_config


def bits(quantization_config: Any) -> int | None:
    """Return the bits of a quantized weight; None without a quantization."""
    if quantization_config is None:
        return None
    return 4 if quantization_config.load_in_4bit else 8


def check_blocks(parameters: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a language model of `parameters` (name → shape) that 4 bits cannot hold.

    Raises:
        CheckpointError: names a linear layer (outputs, inputs) that does not fit its blocks.
    """
    for name, shape in parameters.items():
        if is_quantized_parameter(name, shape) and (shape[0] % _OUTPUTS or shape[1] % _INPUTS):
            raise CheckpointError(
                f"{name} {list(shape)} cannot be quantized to 4-bit, which takes multiples of "
                f"{_OUTPUTS} outputs and {_INPUTS} inputs; launch it as 8-bit or none"
            )
