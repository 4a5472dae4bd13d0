"""Adapters that peft itself saves for the modules of the published code, against its own merge."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import peft
import torch
from safetensors.torch import save_file
from torch import nn

from tests.tiny import make_checkpoint
from tests.tiny.lora import TARGETS
from tests.tiny.weights import read_tensors
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.lora_layers import load_adapters, use_adapter

from .test_lora import BACKBONES, differ, logits

SETTINGS: dict[str, dict[str, Any]] = {
    "rank stabilized": {"r": 8, "lora_alpha": 2, "use_rslora": True},
    "patterns": {
        "r": 8,
        "lora_alpha": 16,
        "rank_pattern": {"wqkv": 3, "qkv_proj": 3, "q_proj": 3, "mlp.fc1": 5, "mlp.fc2": 2},
        "alpha_pattern": {"wqkv": 9, "qkv_proj": 9, "q_proj": 9, "layers.1.attn.qkv": 40},
    },
}


def linear_layers(tensors: dict[str, torch.Tensor]) -> nn.Module:
    """The linear layers of a checkpoint, by their published names."""
    root = nn.Module()
    for name, weight in tensors.items():
        module = name.removesuffix(".weight")
        if name == module or not any(re.fullmatch(x, module) for x in TARGETS.values()):
            continue
        owner = root
        *path, last = module.split(".")
        for part in path:
            if part not in dict(owner.named_children()):
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data.copy_(weight)
        owner.add_module(last, layer)
    return root


def existing(value: Any, names: list[str]) -> Any:
    """Of patterns, those for layers that this language model has."""
    if not isinstance(value, dict):
        return value
    return {k: v for k, v in value.items() if any(name.endswith(f".{k}") for name in names)}


@pytest.fixture(scope="module", params=BACKBONES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("peft") / "base"
    return make_checkpoint(folder, backbone=request.param, dtype="float32")


@pytest.fixture(autouse=True)
def without_gptqmodel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside it, peft wants another library, which no layer here needs."""
    for name in ("awq", "gptq"):
        module = f"peft.tuners.lora.{name}.is_gptqmodel_available"
        monkeypatch.setattr(module, lambda: False)


@pytest.mark.parametrize("case", SETTINGS)
def test_peft_merges_to_the_same_model(checkpoint: Path, tmp_path: Path, case: str) -> None:
    torch.manual_seed(0)
    tensors = read_tensors(checkpoint)
    root = linear_layers(tensors)
    names = [n for n, layer in root.named_modules() if isinstance(layer, nn.Linear)]
    settings = {key: existing(value, names) for key, value in SETTINGS[case].items()}
    config = peft.LoraConfig(target_modules=names, init_lora_weights=False, **settings)
    wrapped = peft.get_peft_model(root, config)
    wrapped.save_pretrained(tmp_path / "adapter")
    merged = wrapped.merge_and_unload().state_dict()
    assert {name.removesuffix(".weight") for name in merged} == {*names}
    shutil.copytree(checkpoint, tmp_path / "merged")
    save_file(
        tensors | {name: weight.contiguous() for name, weight in merged.items()},
        tmp_path / "merged" / "model.safetensors",
        {"format": "pt"},
    )
    expected = logits(load_model(tmp_path / "merged"))
    model = load_model(checkpoint)
    assert differ(logits(model), expected) > 0.1
    load_adapters(model, {"a": tmp_path / "adapter"})
    use_adapter(model, "a")
    assert differ(logits(model), expected) < 1e-4
