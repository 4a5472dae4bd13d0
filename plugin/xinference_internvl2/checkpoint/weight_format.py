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
        return _describe(checkpoint.quantization)
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


def _describe(quantization: Mapping[str, Any]) -> str:
    method = str(quantization.get("quant_method"))[:40]
    if method.lower() != "awq":
        return f"weights quantized with {method}"
    bits = quantization.get("bits", quantization.get("w_bit"))
    layout = str(quantization.get("version") or "gemm")[:40]
    if bits != 4 or layout.lower() != "gemm":
        return f"AWQ in {bits} bit and {layout} layout"
    return AWQ
