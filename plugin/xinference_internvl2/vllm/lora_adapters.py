"""Rewrites LoRA adapters at the launch, in the form that vLLM reads, and keeps a slot for none.

vLLM opens an adapter when the first request names it. Its problems are reported at the launch, and
vLLM opens a file that has been checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.linear_layers import list_linear_layers
from ..checkpoint.lora_adapter_files import (
    WEIGHTS,
    check_shapes,
    read_adapter_config,
    read_matrices,
)
from ..errors import CheckpointError

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values of vLLM's `max_lora_rank`."""
NO_ADAPTER = "(none)"
"""The name of the adapter that is never loaded."""
_LAYER = re.compile(r"language_model\.model\.layers\.(\d+)\.(.+)")


def rewrite_in_place(checkpoint: CheckpointConfig, adapters: Iterable[Any], target: Path) -> int:
    """Have `adapters`, as Xinference describes them, name folders of `target` written for vLLM.

    Returns:
        The least `max_lora_rank` for all.

    Raises:
        CheckpointError: as `write_adapters`.
    """
    given = {adapter.lora_name: adapter.local_path for adapter in adapters}
    folders, rank = write_adapters(checkpoint, given, target)
    for adapter in adapters:
        adapter.local_path = str(folders[adapter.lora_name])
    return rank


def keep_last_slot_empty(adapters: list[Any]) -> None:
    """Append an adapter that no request can name, so that vLLM never loads it.

    vLLM's CPU kernels apply the adapter of the last slot to requests of a batch without one.
    """
    empty = copy(adapters[-1])
    empty.lora_name = NO_ADAPTER
    adapters.append(empty)


def find_names(adapters: Iterable[Any]) -> frozenset[str]:
    """Return the names by which requests choose an adapter."""
    return frozenset(adapter.lora_name for adapter in adapters) - {NO_ADAPTER}


def write_adapters(
    checkpoint: CheckpointConfig, adapters: Mapping[str, str], target: Path
) -> tuple[dict[str, Path], int]:
    """Write the `adapters` (name → folder) for vLLM into folders of `target`.

    Returns:
        The new folders by name, and the least `max_lora_rank` for all.

    Raises:
        CheckpointError: an adapter has what vLLM does not compute, or does not fit the checkpoint.
    """
    if checkpoint.quantization is not None:
        raise CheckpointError(
            f"{checkpoint.path} holds quantized weights, beside which vLLM is not given LoRA "
            "adapters; launch it with the Transformers engine"
        )
    folders, most = {}, 0
    for number, (name, folder) in enumerate(adapters.items()):
        folders[name] = target / str(number)
        most = max(most, _rewrite(checkpoint, Path(folder), folders[name]))
    rank = next((rank for rank in RANKS if rank >= most), None)
    if rank is None:
        raise CheckpointError(
            f"a LoRA adapter has rank {most}, but vLLM computes {RANKS[-1]} at most; launch it "
            "with the Transformers engine"
        )
    return folders, rank


def _rewrite(checkpoint: CheckpointConfig, folder: Path, target: Path) -> int:
    config, layers = read_adapter_config(folder), list_linear_layers(checkpoint)
    tensors: dict[str, torch.Tensor] = {}
    ranks: list[int] = []
    for module, parts in read_matrices(folder).items():
        found = _LAYER.fullmatch(module)
        layer = layers.get(found[2]) if found else None
        if found is None or layer is None or int(found[1]) >= checkpoint.llm["num_hidden_layers"]:
            raise CheckpointError(
                f"{folder} has LoRA weights for {module}, but vLLM computes them for the linear "
                "layers of the language model alone; launch it with the Transformers engine, or "
                "merge the adapter into the model"
            )
        ranks.append(check_shapes(folder, module, parts, layer))
        a, b = (parts[part][...].float() for part in "AB")
        owner = f"base_model.model.{module}"
        tensors[f"{owner}.lora_A.weight"] = a
        tensors[f"{owner}.lora_B.weight"] = b * config.scale(module, ranks[-1])
    target.mkdir(parents=True)
    save_file(tensors, target / WEIGHTS, {"format": "pt"})
    # With alpha = rank, vLLM scales by one: the scale is in lora_B already.
    names = sorted({name.split(".")[-3] for name in tensors})
    settings = {"peft_type": "LORA", "r": max(ranks), "lora_alpha": max(ranks), "bias": "none"}
    text = json.dumps({**settings, "target_modules": names})
    (target / "adapter_config.json").write_text(text, encoding="utf-8")
    return max(ranks)
