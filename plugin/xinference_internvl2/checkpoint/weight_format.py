"""Compares how a checkpoint's weights are quantized with what a launch asks for.

It is known from `config.json` and the names of files, before any weight is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError
from .config import CheckpointConfig

AWQ = "AWQ in 4 bit"
UNQUANTIZED = "unquantized weights"
_GROUP_SIZES = (32, 64, 128)
_REMEDIES = {
    AWQ: "launch it with format awq and quantization Int4",
    UNQUANTIZED: "launch it with format pytorch",
}


def check_quantization(
    checkpoint: CheckpointConfig, model_format: str, quantization: str | None
) -> None:
    """Check that a checkpoint holds the kind of weights that a launch asks for.

    Raises:
        CheckpointError: it holds another kind; the message names both.
    """
    found, wanted = describe_weights(checkpoint), AWQ if model_format == "awq" else UNQUANTIZED
    if found == wanted:
        return
    remedy = _REMEDIES.get(found, f"use a checkpoint with {wanted}")
    raise CheckpointError(
        f"{checkpoint.path} holds {found}, but format {model_format} with quantization "
        f"{quantization or 'none'} was asked, which is for {wanted}; {remedy}"
    )


def awq_group_size(checkpoint: CheckpointConfig) -> int | None:
    """Return how many input features of an AWQ layer share a scale; None without quantization.

    Raises:
        CheckpointError: the weights are quantized in another way than 4-bit AWQ in GEMM layout
            with zero points.
    """
    if checkpoint.quantization is None:
        return None
    if (found := describe_weights(checkpoint)) != AWQ:
        raise CheckpointError(
            f"{checkpoint.path} holds {found}, but only {AWQ} is loaded; use another checkpoint"
        )
    settings = checkpoint.quantization
    size = settings.get("group_size", settings.get("q_group_size"))
    if size not in _GROUP_SIZES or settings.get("zero_point") is not True:
        raise CheckpointError(
            f"{checkpoint.path} holds {AWQ} with group_size {size!r:.20} and zero_point "
            f"{settings.get('zero_point')!r:.20}, but must have true zero points and groups of "
            f"{', '.join(map(str, _GROUP_SIZES))}; use another checkpoint"
        )
    return int(size)


def describe_weights(checkpoint: CheckpointConfig) -> str:
    """Return how the weights are quantized, in words: `UNQUANTIZED`, `AWQ` or another kind."""
    if checkpoint.quantization is not None:
        return _describe_quantization(checkpoint.quantization)
    for pattern, method in _QUANTIZER_FILES.items():
        if file := next(checkpoint.path.glob(pattern), None):
            return f"weights quantized with {method} ({file.name})"
    return UNQUANTIZED


_QUANTIZER_FILES = {
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
    "output*.safetensors": "exl2",
}
"""Files that quantizers write where they leave `config.json` alone → the quantization."""


def _describe_quantization(quantization: Mapping[str, Any]) -> str:
    method = str(quantization.get("quant_method"))[:40]
    if method.lower() != "awq":
        return f"weights quantized with {method}"
    bits = quantization.get("bits", quantization.get("w_bit"))
    layout = str(quantization.get("version") or "gemm")[:40]
    if bits != 4 or layout.lower() != "gemm":
        return f"AWQ in {bits} bit and {layout} layout"
    return AWQ
