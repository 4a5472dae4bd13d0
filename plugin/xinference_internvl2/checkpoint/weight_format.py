"""Whether a checkpoint's weights are what a launch asks for, and whether they can be computed here;
told before any weight is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError
from .config import CheckpointConfig

AWQ = "AWQ in 4 bit"
UNQUANTIZED = "unquantized weights"
_REMEDIES = {
    AWQ: "launch it with format awq and quantization Int4",
    UNQUANTIZED: "launch it with format pytorch",
}


def check_quantization(
    checkpoint: CheckpointConfig, model_format: str, quantization: str | None
) -> None:
    """Refuse a launch as `model_format` with `quantization` of a checkpoint that is another.

    Raises:
        CheckpointError: names what the checkpoint holds, and what was asked.
    """
    found, wanted = found_weights(checkpoint), AWQ if model_format == "awq" else UNQUANTIZED
    if found == wanted:
        return
    remedy = _REMEDIES.get(found, f"use a checkpoint with {wanted}")
    raise CheckpointError(
        f"{checkpoint.path} holds {found}, but format {model_format} with quantization "
        f"{quantization or 'none'} was asked, which is for {wanted}; {remedy}"
    )


def found_weights(checkpoint: CheckpointConfig) -> str:
    """What `config.json`, or a file that lies beside it, says of the weights."""
    if checkpoint.quantization is not None:
        return _described(checkpoint.quantization)
    for pattern, method in _TELLTALES.items():
        if file := next(checkpoint.path.glob(pattern), None):
            return f"weights quantized with {method} ({file.name})"
    return UNQUANTIZED


_TELLTALES = {
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
    "output*.safetensors": "exl2",
}
"""Files that quantizers leave in a checkpoint whose `config.json` says nothing of it."""


def _described(quantization: Mapping[str, Any]) -> str:
    method = str(quantization.get("quant_method"))[:40]
    if method.lower() != "awq":
        return f"weights quantized with {method}"
    bits = quantization.get("bits", quantization.get("w_bit"))
    layout = str(quantization.get("version") or "gemm")[:40]
    if bits != 4 or layout.lower() != "gemm":
        return f"AWQ in {bits} bit and {layout} layout"
    return AWQ


def check_blocks(parameters: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a language model of `parameters` (name → shape) that bitsandbytes cannot compute in
    4 bits.

    Raises:
        CheckpointError: names a linear layer (outputs, inputs) that does not fit its blocks.
    """
    for name, shape in parameters.items():
        if ".language_model.layers." not in name or len(shape) != 2:
            continue
        if shape[0] % _OUTPUTS or shape[1] % _INPUTS:
            raise CheckpointError(
                f"{name} {list(shape)} cannot be quantized to 4-bit, which takes multiples of "
                f"{_OUTPUTS} outputs and {_INPUTS} inputs; launch it as 8-bit or none"
            )


# What bitsandbytes packs for a CPU with bfloat16 at a time, and its block of values with a scale.
_OUTPUTS, _INPUTS = 32, 64
