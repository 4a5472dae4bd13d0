"""Whether a checkpoint's weights are what a launch asks for, and whether they can be computed here;
told before any weight is read."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any, NamedTuple

from .config import CheckpointConfig
from .errors import CheckpointError

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


class _Library(NamedTuple):
    """What computes a quantization on Transformers, and whether the family's registration has it
    installed into a virtual environment of the host."""

    name: str
    extra: str
    in_virtual_env: bool
    weights: str


_BITS = _Library("bitsandbytes", "transformers", True, "4-bit and 8-bit")
_LIBRARIES = {
    "int4": _Library("gptqmodel", "awq", False, "AWQ"),
    "4-bit": _BITS,
    "8-bit": _BITS,
}


def missing_library(quantization: str | None, *, virtual_env: bool = False) -> str | None:
    """Why Transformers cannot serve the quantization here, or in a virtual environment of the host;
    None if it can."""
    library = _LIBRARIES.get((quantization or "none").lower())
    if library is None or (virtual_env and library.in_virtual_env):
        return None
    if importlib.util.find_spec(library.name) is not None:
        return None
    return (
        f"Transformers computes {library.weights} weights with {library.name}, which is not "
        f"installed; install it with pip install 'xinference-internvl2[{library.extra}]'"
    )


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


def missing_awq_kernel() -> str | None:
    """Why vLLM cannot compute AWQ on this machine, where it would start, and then end at the
    first request; None if it can."""
    import torch
    from vllm.platforms import CpuArchEnum, current_platform

    on_x86 = (
        current_platform.is_cpu() and current_platform.get_cpu_architecture() == CpuArchEnum.X86
    )
    # vLLM chooses its library of kernels by this, and the one for AVX2 lacks the kernel.
    if not on_x86 or torch.cpu._is_avx512_supported():
        return None
    return (
        "vLLM computes AWQ weights only on a GPU or on a processor with AVX-512, which this "
        "machine has not; use the Transformers engine, or an unquantized checkpoint"
    )
