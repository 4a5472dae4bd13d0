"""Whether a checkpoint's weights are what a launch asks for, told before any weight is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .config import CheckpointConfig
from .errors import CheckpointError

AWQ = "AWQ in 4 bit"
UNQUANTIZED = "unquantized weights"
_REMEDIES = {
    AWQ: "launch it with format awq and quantization Int4 on vLLM",
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
    """What `config.json`, or the file that GPTQ leaves beside it, says of the weights."""
    if checkpoint.quantization is not None:
        return _described(checkpoint.quantization)
    if (checkpoint.path / "quantize_config.json").is_file():
        return "weights quantized with gptq (quantize_config.json)"
    return UNQUANTIZED


def _described(quantization: Mapping[str, Any]) -> str:
    method = str(quantization.get("quant_method"))[:40]
    if method.lower() != "awq":
        return f"weights quantized with {method}"
    bits = quantization.get("bits", quantization.get("w_bit"))
    layout = str(quantization.get("version") or "gemm")[:40]
    if bits != 4 or layout.lower() != "gemm":
        return f"AWQ in {bits} bit and {layout} layout"
    return AWQ


def check_awq_kernel() -> None:
    """Refuse AWQ where this build of vLLM has no kernel for it: it would start, and then end at
    the first request.

    Raises:
        CheckpointError: vLLM runs on an x86 processor without AVX-512.
    """
    import torch
    from vllm import _custom_ops  # noqa: F401  loads the kernels
    from vllm.platforms import CpuArchEnum, current_platform

    on_x86 = (
        current_platform.is_cpu() and current_platform.get_cpu_architecture() == CpuArchEnum.X86
    )
    if on_x86 and not hasattr(torch.ops._C, "cpu_gemm_wna16"):
        raise CheckpointError(
            "vLLM computes AWQ weights only on a GPU or on a processor with AVX-512, which this "
            "machine has not; launch an unquantized checkpoint with format pytorch here"
        )
