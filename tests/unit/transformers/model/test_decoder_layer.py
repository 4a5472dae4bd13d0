"""Layers in large operations compute what those of transformers do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from accelerate.utils import send_to_device
from torch import nn

from tests.support.generate import generate_tokens
from tests.tiny import make_checkpoint
from tests.tiny.lora import make_matrices, write_adapter
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.model.attention_mask import Chunk
from xinference_internvl2.transformers.model.decoder_layer import DecoderLayer, replace_layers
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.fused_projections import JoinedLinear
from xinference_internvl2.transformers.model.lora_layers import load_adapters, use_adapter

BACKBONES = ("qwen2", "internlm2", "phi3", "llama")
IDS = torch.arange(20, 60)[None]


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


def greedy(model: Any) -> list[int]:
    return [token.id for token in generate_tokens(model, IDS, None, SamplingParams(4), [])]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_numbers_and_parameters_stay(tmp_path: Path, backbone: Any) -> None:
    model = load_model(make_checkpoint(tmp_path, backbone=backbone, dtype="float32"))
    wanted, count = logits(model), sum(each.numel() for each in model.parameters())
    replace_layers(model)
    layers = model.model.language_model.layers
    assert {type(layer) for layer in layers} == {DecoderLayer}
    assert {type(layer.qkv_proj) for layer in layers} == {nn.Linear}
    assert {type(layer.gate_up_proj) for layer in layers} == {nn.Linear}
    assert sum(each.numel() for each in model.parameters()) == count
    assert torch.allclose(logits(model), wanted, atol=1e-5)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_what_is_no_plain_layer_is_not_joined(tmp_path: Path, backbone: Any) -> None:
    path = make_checkpoint(tmp_path / "base", backbone=backbone, dtype="float32")
    plain, model = load_model(path), load_model(path)
    folder = write_adapter(tmp_path / "adapter", make_matrices(path, rank=4))
    for each in (plain, model):
        load_adapters(each, {"a": folder})
    replace_layers(model)
    joined = any(isinstance(each, JoinedLinear) for each in model.modules())
    assert joined == (backbone != "phi3")
    for adapter in ("a", None):
        use_adapter(plain, adapter)
        use_adapter(model, adapter)
        assert torch.allclose(logits(model), logits(plain), atol=1e-5)


def test_a_layer_that_is_on_a_device_of_its_own_stays_there(tmp_path: Path) -> None:
    model = load_model(make_checkpoint(tmp_path, backbone="qwen2", dtype="float32"))
    layers, hook = model.model.language_model.layers, AlignDevicesHook("cpu")
    wanted = logits(model)
    add_hook_to_module(layers[1], hook)
    replace_layers(model)
    assert [getattr(layer, "_hf_hook", None) for layer in layers][:2] == [None, hook]
    assert torch.allclose(logits(model), wanted, atol=1e-5)


def test_a_layer_whose_weights_are_elsewhere_is_left_alone(tmp_path: Path) -> None:
    model = load_model(make_checkpoint(tmp_path, backbone="qwen2", dtype="float32"))
    layers, wanted = model.model.language_model.layers, logits(model)
    tokens = greedy(model)
    cpu_offload(layers[1], execution_device=torch.device("cpu"))
    replace_layers(model)
    assert [type(layer) is DecoderLayer for layer in layers][:2] == [True, False]
    assert torch.allclose(logits(model), wanted, atol=1e-5)
    assert greedy(model) == tokens


def test_what_is_in_a_row_follows_the_layers_to_their_device() -> None:
    sent = send_to_device([Chunk(1, None), Chunk(2, torch.ones(1, 1, 2, 2))], "meta")
    assert [chunk.count for chunk in sent] == [1, 2]
    assert sent[0].mask is None
    assert sent[1].mask.is_meta
