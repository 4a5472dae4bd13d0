"""LoRA adapters beside quantized weights, and beside layers that were packed for a CPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file

from tests.support.cpu_instructions import needs_bfloat16
from tests.tiny import dequantize_awq, make_checkpoint, quantize_awq
from tests.tiny.lora import make_matrices, write_adapter, write_merged
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.checkpoint.lora_adapter_files import WEIGHTS
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.lora_layers import (
    LoraLinear,
    load_adapters,
    use_adapter,
)
from xinference_internvl2.transformers.model.packed_linear import PackedLinear
from xinference_internvl2.transformers.model.speed_up import speed_up
from xinference_internvl2.vllm.lora_adapters import RANKS, write_adapters

from .test_bitsandbytes import bits, cosine
from .test_lora import logits

BACKBONES: Any = ("qwen2", "internlm2", "phi3", "llama")
# An adapter that is left out leaves this much at most.
CHANGED = 0.9


def last(model: Any, adapter: str | None = None) -> torch.Tensor:
    use_adapter(model, adapter)
    return logits(model)[0, -1]


@pytest.mark.parametrize("backbone", ["internlm2", "phi3"])
@pytest.mark.parametrize(("name", "least"), [("8-bit", 0.995), ("4-bit", 0.95)])
def test_beside_bitsandbytes(tmp_path: Path, backbone: Any, name: str, least: float) -> None:
    pytest.importorskip("bitsandbytes")
    path = make_checkpoint(tmp_path / "base", backbone=backbone, seed=1)
    matrices = make_matrices(path, rank=16)
    folder = write_adapter(tmp_path / "adapter", matrices)
    model = load_model(path, quantization_config=bits(name))
    alone = last(model)
    load_adapters(model, {"a": folder})
    expected = last(load_model(write_merged(path, tmp_path / "merged", matrices)))
    assert cosine(last(model, "a"), expected) > least
    assert cosine(alone, expected) < CHANGED
    # bitsandbytes computes the first time in another way than later.
    assert cosine(last(model), alone) > 0.999


@pytest.mark.parametrize("backbone", BACKBONES)
def test_beside_awq(tmp_path: Path, backbone: Any) -> None:
    pytest.importorskip("gptqmodel")
    sizes = {"hidden": 256, "heads": 8, "intermediate": 512}
    path = make_checkpoint(tmp_path / "base", backbone=backbone, dtype="float16", seed=1, **sizes)
    awq = quantize_awq(path, tmp_path / "awq")
    twin = dequantize_awq(awq, tmp_path / "twin")
    matrices = make_matrices(path, rank=16)
    folder = write_adapter(tmp_path / "adapter", matrices)
    expected = last(load_model(write_merged(twin, tmp_path / "merged", matrices), dtype="float32"))
    model = load_model(awq, dtype="float32")
    alone = last(model)
    load_adapters(model, {"a": folder})
    assert cosine(last(model, "a"), expected) > 0.9999
    assert cosine(alone, expected) < CHANGED
    assert torch.equal(last(model), alone)
    with pytest.raises(CheckpointError, match="quantized weights, beside which vLLM is not given"):
        write_adapters(read_config(awq), {"a": str(folder)}, tmp_path / "written")


@needs_bfloat16
@pytest.mark.parametrize("backbone", BACKBONES)
def test_after_packing_for_a_cpu(tmp_path: Path, backbone: Any) -> None:
    path = make_checkpoint(tmp_path / "base", backbone=backbone, seed=1)
    folder = write_adapter(tmp_path / "adapter", make_matrices(path, rank=4))
    plain, model = load_model(path), load_model(path)
    for each in (plain, model):
        load_adapters(each, {"a": folder})
    speed_up(model)
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLinear)]
    assert layers
    assert {type(layer.layer) for layer in layers} == {PackedLinear}
    for adapter in (None, "a"):
        assert cosine(last(model, adapter), last(plain, adapter)) > 0.999
    assert cosine(last(model, "a"), last(model)) < CHANGED


def test_what_vllm_does_not_compute_is_named(tmp_path: Path) -> None:
    """A part of the model that it leaves alone, a layer that is not there, and another size."""
    path = make_checkpoint(tmp_path / "base", backbone="qwen2")
    checkpoint, matrices = read_config(path), make_matrices(path, parts=("language_model",))
    ((module, (a, b)), *_) = matrices.items()
    for number, (given, sentence) in enumerate(
        (
            (make_matrices(path, parts=("vision_model",)), "LoRA weights for vision_model.encoder"),
            (make_matrices(path, parts=("mlp1",)), "LoRA weights for mlp1.1, but vLLM computes"),
            ({module.replace(".0.", ".2."): (a, b)}, "layers.2."),
            ({module: (a[:, 1:], b)}, "check that the adapter was trained for this checkpoint"),
        )
    ):
        folder = write_adapter(tmp_path / f"adapter-{number}", given)
        with pytest.raises(CheckpointError) as caught:
            write_adapters(checkpoint, {"a": str(folder)}, tmp_path / f"written-{number}")
        assert sentence in str(caught.value)


@pytest.mark.parametrize(("rank", "most"), [(1, 1), (2, 8), (16, 16), (17, 32), (512, 512)])
def test_vllm_is_given_the_least_rank_that_it_has(tmp_path: Path, rank: int, most: int) -> None:
    path = make_checkpoint(tmp_path / "base", backbone="qwen2")
    matrices = make_matrices(path, rank=rank, parts=("language_model",))
    small = make_matrices(path, rank=1, parts=("language_model",))
    given = {
        "large": str(write_adapter(tmp_path / "large", matrices)),
        "small": str(write_adapter(tmp_path / "small", small)),
    }
    folders, found = write_adapters(read_config(path), given, tmp_path / "written")
    assert found == most
    written = json.loads((folders["large"] / "adapter_config.json").read_text())
    assert (written["r"], written["lora_alpha"]) == (rank, rank)


def test_layers_of_one_adapter_may_differ_in_rank(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "base", backbone="qwen2")
    matrices = make_matrices(path, rank=16, parts=("language_model",))
    first, *_, last_one = matrices
    for module in (first, last_one):
        a, b = matrices[module]
        matrices[module] = a[:4], b[:, :4]
    folder = write_adapter(tmp_path / "adapter", matrices, lora_alpha=24)
    folders, found = write_adapters(read_config(path), {"a": str(folder)}, tmp_path / "written")
    written = json.loads((folders["a"] / "adapter_config.json").read_text())
    assert (written["r"], written["lora_alpha"], found) == (16, 16, 16)
    tensors = load_file(folders["a"] / WEIGHTS)
    for module, (a, b) in matrices.items():
        scaled = tensors[f"base_model.model.{module}.lora_B.weight"]
        assert torch.allclose(scaled, b * 24 / len(a)), module


def test_a_rank_beyond_is_refused_by_vllm_alone(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "base", backbone="qwen2")
    matrices = make_matrices(path, rank=RANKS[-1] + 1, parts=("language_model",))
    folder = write_adapter(tmp_path / "adapter", matrices)
    with pytest.raises(CheckpointError, match="has rank 513, but vLLM computes 512 at most"):
        write_adapters(read_config(path), {"a": str(folder)}, tmp_path / "written")
    load_adapters(load_model(path), {"a": folder})
