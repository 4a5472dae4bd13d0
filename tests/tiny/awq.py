"""4-bit AWQ checkpoints in GEMM layout from the maker's checkpoints, and back to floats.

Shapes use: I input features, O output features, G groups of input features. A linear layer is
`qweight` (I, O/8) and `qzeros` (G, O/8), 8 values of 4 bits an int32, and `scales` (G, O).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from .edit import edit_config
from .weights import Tensors, copy_checkpoint, read_tensors

# The column that every nibble of an int32 holds, from the lowest one up.
NIBBLES = (0, 2, 4, 6, 1, 3, 5, 7)
LEVELS = 15
_LINEAR = re.compile(r"language_model\.model\.layers\.\d+\..*\.weight")
_PACKED = (".qweight", ".qzeros", ".scales")


def pack(values: torch.Tensor) -> torch.Tensor:
    """(rows, O) of 0 … 15 → int32 (rows, O/8)."""
    columns = values.to(torch.int64).unflatten(-1, (-1, 8))[..., list(NIBBLES)]
    words = (columns << torch.arange(0, 32, 4)).sum(-1)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


def unpack(words: torch.Tensor) -> torch.Tensor:
    """int32 (rows, O/8) → int64 (rows, O) of 0 … 15."""
    nibbles = words.to(torch.int64).unsqueeze(-1) >> torch.arange(0, 32, 4) & LEVELS
    columns = torch.empty_like(nibbles)
    columns[..., list(NIBBLES)] = nibbles
    return columns.flatten(-2)


def quantize_weight(weight: torch.Tensor, group_size: int) -> Tensors:
    """`weight` (O, I) with a scale and a zero point for every output and group of inputs."""
    groups = weight.float().t().unflatten(0, (-1, group_size))
    low, high = groups.amin(1).clamp(max=0), groups.amax(1).clamp(min=0)
    scales = ((high - low) / LEVELS).clamp(min=1e-5).half()
    zeros = (-low / scales.float()).round().clamp(0, LEVELS)
    levels = (groups / scales.float().unsqueeze(1)).round() + zeros.unsqueeze(1)
    return {
        "qweight": pack(levels.clamp(0, LEVELS).flatten(0, 1)),
        "qzeros": pack(zeros),
        "scales": scales,
    }


def dequantize_weight(
    qweight: torch.Tensor, qzeros: torch.Tensor, scales: torch.Tensor
) -> torch.Tensor:
    """The weight (O, I) in float32, which holds the product of level and scale exactly."""
    levels, zeros = unpack(qweight), unpack(qzeros)
    groups = levels.unflatten(0, (len(zeros), -1)) - zeros.unsqueeze(1)
    return (groups * scales.float().unsqueeze(1)).flatten(0, 1).t().contiguous()


def quantize_awq(source: Path, target: Path, group_size: int = 128) -> Path:
    """Write to `target` the checkpoint `source` with the language model's layers in 4 bits.

    Raises ValueError for a layer whose dimensions do not fit the layout.
    """
    tensors: Tensors = {}
    for name, weight in read_tensors(source).items():
        if not _LINEAR.fullmatch(name) or weight.dim() != 2:
            tensors[name] = weight.half()
            continue
        if weight.shape[0] % 8 or weight.shape[1] % group_size:
            raise ValueError(f"{name} {list(weight.shape)} does not fit groups of {group_size}")
        owner = name.removesuffix("weight")
        parts = quantize_weight(weight, group_size)
        tensors |= {owner + kind: tensor for kind, tensor in parts.items()}
    copy_checkpoint(source, target, tensors)
    edit_config(target, lambda config: _add_settings(config, group_size))
    return target


def dequantize_awq(awq: Path, target: Path) -> Path:
    """Write to `target` the checkpoint `awq` in float32, with the weights that it stands for."""
    tensors = read_tensors(awq)
    floats = {name: x.float() for name, x in tensors.items() if not name.endswith(_PACKED)}
    for name in tensors:
        if name.endswith(_PACKED[0]):
            owner = name.removesuffix(_PACKED[0])
            floats[f"{owner}.weight"] = dequantize_weight(
                *(tensors[owner + kind] for kind in _PACKED)
            )
    copy_checkpoint(awq, target, floats)
    edit_config(target, _remove_settings)
    return target


def move_settings_to_top(awq: Path) -> None:
    """Move the settings of the checkpoint `awq` to where only unofficial ones have them."""

    def move(config: dict[str, Any]) -> None:
        config["quantization_config"] = config["llm_config"].pop("quantization_config")

    edit_config(awq, move)


def _add_settings(config: dict[str, Any], group_size: int) -> None:
    """Add the settings where the published repositories have them."""
    config["llm_config"]["quantization_config"] = {
        "bits": 4,
        "group_size": group_size,
        "modules_to_not_convert": None,
        "quant_method": "awq",
        "version": "gemm",
        "zero_point": True,
    }
    for part in (config, config["llm_config"], config["vision_config"]):
        part["torch_dtype"] = "float16"


def _remove_settings(config: dict[str, Any]) -> None:
    del config["llm_config"]["quantization_config"]
    for part in (config, config["llm_config"], config["vision_config"]):
        part["torch_dtype"] = "float32"
