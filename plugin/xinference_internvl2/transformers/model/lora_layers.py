"""LoRA adapters on a transformers model: loaded beside its weights, and switched by name.

Where a published layer is split in the model, its parts share lora_A, and have their own rows of
lora_B: the product is the same.

peft would wrap the layers too, but beside gptqmodel, which computes AWQ, it does not start without
yet another library; and all that is needed of it is one product.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

from ...checkpoint.linear_layers import Layer
from ...checkpoint.lora_adapter_files import check_shapes, read_adapter_config, read_matrices
from ...errors import CheckpointError
from .weight_names import split_rows, target_names


class Matrices(NamedTuple):
    """lora_A (R, I) and lora_B (O, R), the latter multiplied with the scale.

    They are in float32, whatever the model's type is: they are small.
    """

    a: torch.Tensor
    b: torch.Tensor


class LoraLinear(nn.Module):
    """A linear layer, whatever computes it, to which the adapter in use adds its product."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.matrices: dict[str, Matrices] = {}
        self.adapter: str | None = None

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(…, in features) → (…, out features)"""
        found: torch.Tensor = self.layer(rows)
        if self.adapter not in self.matrices:
            return found
        a, b = self.matrices[self.adapter]
        return found + linear(linear(rows.to(a), a), b).to(found)


def load_adapters(model: PreTrainedModel, folders: Mapping[str, str | Path]) -> None:
    """Load adapters (name → folder) into `model`, which computes without them until `use_adapter`.

    Before `speed_up`, which replaces the layers.

    Raises:
        CheckpointError: an adapter does not fit the model, or has what is not served.
    """
    model._adapters = frozenset(folders)
    for name, folder in folders.items():
        for module, matrices in _read(model, Path(folder)).items():
            layer = _wrap(model, module)
            device = next(iter(layer.layer.state_dict().values())).device
            layer.matrices[name] = Matrices(*(x.contiguous().to(device) for x in matrices))


def use_adapter(model: PreTrainedModel, name: str | None) -> None:
    """Let `model` compute with the adapter `name`, or as it is without one.

    Raises:
        KeyError: no adapter of that name was loaded.
    """
    if name is not None and name not in getattr(model, "_adapters", ()):
        raise KeyError(name)
    if getattr(model, "_adapter_in_use", None) == name:
        return
    model._adapter_in_use = name
    for layer in model.modules():
        if isinstance(layer, LoraLinear):
            layer.adapter = name


def _wrap(model: PreTrainedModel, module: str) -> LoraLinear:
    parent, _, name = module.rpartition(".")
    owner = model.get_submodule(parent)
    layer = getattr(owner, name)
    if not isinstance(layer, LoraLinear):
        layer = LoraLinear(layer)
        setattr(owner, name, layer)
    return layer


def _read(model: PreTrainedModel, folder: Path) -> dict[str, Matrices]:
    """The matrices by the modules of `model`."""
    config, modules = read_adapter_config(folder), dict(model.named_modules())
    found: dict[str, Matrices] = {}
    for module, parts in read_matrices(folder).items():
        names = [name.removesuffix(".weight") for name in target_names(f"{module}.weight")]
        layers = [_unwrap(modules.get(name)) for name in names]
        if any(not hasattr(layer, "in_features") for layer in layers):
            raise CheckpointError(
                f"{folder}: {module} is no linear layer of the model; check that the adapter was "
                "trained for this checkpoint"
            )
        layer = Layer(sum(x.out_features for x in layers), layers[0].in_features)
        rank = check_shapes(folder, module, parts, layer)
        a, b = (parts[part][...].float() for part in "AB")
        scaled = b * config.scale(module, rank)
        rows = split_rows(f"{module}.weight", scaled, model.config.text_config)
        found |= {name: Matrices(a, part) for name, part in zip(names, rows, strict=True)}
    return found


def _unwrap(module: Any) -> Any:
    """The layer itself, where an adapter was loaded before."""
    return module.layer if isinstance(module, LoraLinear) else module
