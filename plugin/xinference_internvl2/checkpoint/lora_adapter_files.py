"""Reads LoRA adapters as training tools write them, and checks them.

The names in `adapter_model.safetensors` are those of the published code, with what peft puts before
and after them:

    base_model.model.language_model.model.layers.0.attention.wqkv.lora_A.weight
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import CheckpointError
from .config import MAX_RANK
from .json_files import read_json, require_folder
from .linear_layers import Layer
from .typed_fields import Section
from .weight_files import FLOATS, open_file

WEIGHTS = "adapter_model.safetensors"

# Field of `adapter_config.json` → the values that change nothing; others are refused.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "alora_invocation_tokens": (),
    "arrow_config": (),
    "bias": ("none",),
    "fan_in_fan_out": (),
    # Others change the weights of the model too, which are not in the adapter.
    "init_lora_weights": (True, "gaussian", "eva", "orthogonal"),
    "layer_replication": (),
    "lora_bias": (),
    "modules_to_save": (),
    "target_parameters": (),
    "trainable_token_indices": (),
    "use_bdlora": (),
    "use_dora": (),
    "use_qalora": (),
}
_HONOURED = ("peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")
# What the names of the weights say too, or only training needs.
_IRRELEVANT = (
    *("auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode"),
    *("corda_config", "ensure_weight_tying", "eva_config", "exclude_modules", "layers_pattern"),
    *("layers_to_transform", "loftq_config", "lora_dropout", "lora_ga_config", "megatron_config"),
    *("megatron_core", "peft_version", "qalora_group_size", "runtime_config", "target_modules"),
)

_LORA = re.compile(r"^(?:base_model\.model\.)*(.+?)\.lora_([AB])(?:\.default)?\.weight$")
_PREFIXES = {
    "model.layers.": "language_model.",
    "lm_head": "language_model.",
    "output": "language_model.",
    "encoder.layers.": "vision_model.",
}
"""Beginning of a name where only a part of the model was wrapped → the part that it lacks."""


class LoraName(NamedTuple):
    """The published name of a tensor's module, and whether the tensor is lora_A or lora_B."""

    module: str
    part: Literal["A", "B"]


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """The checked `adapter_config.json`.

    Attributes:
        alpha: `lora_alpha` of all modules but those in `alphas`.
        alphas: the end of a module's name → its own alpha.
        is_rank_stabilized: whether the scale is alpha / √rank, not alpha / rank.
    """

    path: Path
    alpha: float
    alphas: Mapping[str, float]
    is_rank_stabilized: bool

    def scale(self, module: str, rank: int) -> float:
        """Return the factor of lora_B · lora_A for `module`, whose matrices have this rank."""
        matches = [end for end in self.alphas if module == end or module.endswith(f".{end}")]
        alpha = self.alphas[matches[0]] if matches else self.alpha
        return alpha / (math.sqrt(rank) if self.is_rank_stabilized else rank)


def read_adapter_config(path: Path) -> AdapterConfig:
    """Read and check `adapter_config.json` in the folder `path`.

    Raises:
        CheckpointError: the folder has none, or a field has a value that is not served; the message
            names it.
    """
    require_folder(path, "a LoRA adapter")
    file = path / "adapter_config.json"
    config = Section(file, "", read_json(file))
    if config.get("peft_type") != "LORA":
        raise config.refuse("peft_type", '"LORA", the only kind of adapter that is served')
    for key, value in config.values.items():
        nothing = value is None or value is False or value == [] or value == {}
        known = key in _HONOURED or key in _IRRELEVANT or value in _NEUTRAL.get(key, ())
        if not known and not nothing:
            raise config.refuse(key, "left out: it is not served; merge the adapter into the model")
    config.integer("r", 1, MAX_RANK)
    return AdapterConfig(
        path=path,
        alpha=config.number("lora_alpha"),
        alphas=_read_patterns(config, "alpha_pattern"),
        is_rank_stabilized=config.flag("use_rslora", False),
    )


def _read_patterns(config: Section, key: str) -> dict[str, float]:
    if not config.get(key):
        return {}
    patterns = config.section(key)
    for name in patterns.values:
        # peft takes them for regular expressions, and matching one could take for ever.
        if not re.fullmatch(r"[\w.]{1,200}", name):
            raise config.refuse(key, "a map of names of modules, without regular expressions")
    return {name: patterns.number(name) for name in patterns.values}


def read_matrices(folder: Path) -> dict[str, dict[str, Any]]:
    """Return lazy slices by the published name of their module: {"A": lora_A, "B": lora_B}.

    Raises:
        CheckpointError: the file of weights is missing, damaged or pickled, or has something else
            than pairs of such matrices.
    """
    file = folder / WEIGHTS
    if not file.exists() and (folder / "adapter_model.bin").exists():
        raise CheckpointError(
            f"{folder} has only pickled weights (adapter_model.bin), which could run code when "
            "opened; save the adapter as safetensors"
        )
    found: dict[str, dict[str, Any]] = {}
    for name, tensor in open_file(file).items():
        if tensor.get_dtype() not in FLOATS:
            raise CheckpointError(
                f"{file}: weight {name} is of type {tensor.get_dtype()}, but must be "
                f"{' or '.join(FLOATS)}"
            )
        module, part = _parse_name(file, name)
        found.setdefault(module, {})[part] = tensor
    for module, parts in found.items():
        if len(parts) != 2:
            raise CheckpointError(f"{file}: {module} has only lora_{min(parts)}; save it again")
    if not found:
        raise CheckpointError(f"{file} has no weights; save the adapter again")
    return found


def check_shapes(folder: Path, module: str, parts: Mapping[str, Any], layer: Layer) -> int:
    """Return the rank R of lora_A (R, inputs) and lora_B (outputs, R) of `module`.

    Raises:
        CheckpointError: they do not fit the checkpoint's `layer`.
    """
    a, b = (list(parts[part].get_shape()) for part in "AB")
    if len(a) == 2 and a[1] == layer.inputs and b == [layer.outputs, a[0]]:
        return int(a[0])
    raise CheckpointError(
        f"{folder}: {module} has lora_A {a} and lora_B {b}, but the model's layer has "
        f"{layer.inputs} inputs and {layer.outputs} outputs; check that the adapter was trained "
        "for this checkpoint"
    )


def _parse_name(file: Path, name: str) -> LoraName:
    """Return the module and the part of LoRA that the tensor `name` is.

    Raises:
        CheckpointError: it is no LoRA matrix of a linear layer.
    """
    found = _LORA.fullmatch(name)
    if not found:
        raise CheckpointError(
            f"{file}: weight {name} is no LoRA matrix of a linear layer (lora_A or lora_B), which "
            "is all that is served; merge the adapter into the model"
        )
    module = found[1]
    part = next((part for start, part in _PREFIXES.items() if module.startswith(start)), "")
    return LoraName(part + module, "A" if found[2] == "A" else "B")
