"""LoRA of small checkpoints: as an adapter, unmerged in the checkpoint, and merged."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .edit import edit_config
from .tokenizer_files import write_json
from .weights import Tensors, copy_checkpoint, read_tensors

Matrices = dict[str, tuple[torch.Tensor, torch.Tensor]]

TARGETS = {
    "language_model": (
        r"language_model\.model\.layers\.\d+\.(attention\.(wqkv|wo)|feed_forward\.w[123]"
        r"|self_attn\.([qkvo]|qkv)_proj|mlp\.(gate|up|down|gate_up)_proj)"
    ),
    "vision_model": r"vision_model\.encoder\.layers\.\d+\.(attn\.(qkv|proj)|mlp\.fc[12])",
    "mlp1": r"mlp1\.[13]",
}
"""Part of the model → its modules that training tools wrap."""


def make_matrices(checkpoint: Path, rank: int = 4, parts: Any = TARGETS, seed: int = 0) -> Matrices:
    """Return random lora_A (R, I) and lora_B (O, R) for every module of the `parts`."""
    noise = torch.Generator().manual_seed(seed)
    found: Matrices = {}
    for name, weight in sorted(read_tensors(checkpoint).items()):
        module = name.removesuffix(".weight")
        if name == module or not any(re.fullmatch(TARGETS[part], module) for part in parts):
            continue
        outputs, inputs = weight.shape
        a = torch.randn(rank, inputs, generator=noise) / inputs**0.5
        found[module] = a, torch.randn(outputs, rank, generator=noise) * 0.1
    return found


def write_adapter(
    folder: Path, matrices: Matrices, prefix: str = "base_model.model.", **config: Any
) -> Path:
    """Write an adapter as peft saves it; `config` are fields of `adapter_config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for module, (a, b) in matrices.items():
        tensors[f"{prefix}{module}.lora_A.weight"] = a.contiguous()
        tensors[f"{prefix}{module}.lora_B.weight"] = b.contiguous()
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    rank = max(len(a) for a, _ in matrices.values())
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "OpenGVLab/InternVL2-2B",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.05,
        "modules_to_save": None,
        "r": rank,
        "target_modules": sorted({module.rsplit(".", 1)[-1] for module in matrices}),
        "use_dora": False,
        "use_rslora": False,
    }
    write_json(folder / "adapter_config.json", {**settings, **config})
    return folder


def write_merged(
    checkpoint: Path, target: Path, matrices: Matrices, scale: Callable[[str], float] = lambda _: 2
) -> Path:
    """Write a checkpoint into whose weights the LoRA was merged."""

    tensors = read_tensors(checkpoint)
    for module, (a, b) in matrices.items():
        tensors[f"{module}.weight"] += scale(module) * b @ a
    return copy_checkpoint(checkpoint, target, tensors)


def write_unmerged(checkpoint: Path, target: Path, matrices: Matrices) -> Path:
    """Write a checkpoint as the published training scripts save it, its LoRA not merged."""
    parts = {module.split(".")[0] for module in matrices}
    (rank,) = {len(a) for a, _ in matrices.values()}

    saved: Tensors = {}
    for name, tensor in read_tensors(checkpoint).items():
        part, rest = name.split(".", 1)
        module, kind = name.rsplit(".", 1)
        if part not in parts:
            saved[name] = tensor
            continue
        wrapper = f"{part}.base_model.model."
        if module not in matrices:
            saved[wrapper + rest] = tensor
            continue
        owner = wrapper + module.split(".", 1)[1]
        saved[f"{owner}.base_layer.{kind}"] = tensor
        if kind == "weight":
            for letter, matrix in zip("AB", matrices[module], strict=True):
                saved[f"{owner}.lora_{letter}.default.weight"] = matrix.contiguous()
    copy_checkpoint(checkpoint, target, saved)
    ranks = {"use_llm_lora": "language_model", "use_backbone_lora": "vision_model"}
    edit_config(
        target, lambda c: c.update({k: rank if part in parts else 0 for k, part in ranks.items()})
    )
    return target
