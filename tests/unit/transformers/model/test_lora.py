"""LoRA: adapters beside the weights and unmerged checkpoints, against what was merged before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

from tests.tiny import make_checkpoint
from tests.tiny.lora import (
    TARGETS,
    Matrices,
    make_matrices,
    write_adapter,
    write_merged,
    write_unmerged,
)
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.lora_layers import load_adapters, use_adapter

BACKBONES = ("qwen2", "internlm2", "phi3", "llama")


def logits(model: Any) -> torch.Tensor:
    """Of a prompt with a picture of two tiles."""
    noise = torch.Generator().manual_seed(0)
    side, image = model.config.vision_config.image_size[0], model.config.image_token_id
    tokens = 2 * model.config.image_seq_length
    ids = torch.tensor([[5, 6, 7, *[image] * tokens, 8, 9]])
    pixels = torch.randn(2, 3, side, side, generator=noise)
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values=pixels.to(model.dtype)).logits.float()


def differ(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


@pytest.fixture(scope="module", params=BACKBONES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("lora") / "base"
    return make_checkpoint(folder, backbone=request.param, dtype="float32", vit="6b")


def test_adapters_give_the_logits_of_merged_checkpoints(checkpoint: Path, tmp_path: Path) -> None:
    """Two at a time, of other ranks and parts, and the model itself between them."""
    every = make_matrices(checkpoint, rank=4)
    language = make_matrices(checkpoint, rank=6, parts=("language_model",), seed=1)
    model = load_model(checkpoint)
    alone = logits(model)
    folders = {
        "every.part": write_adapter(tmp_path / "a", every),
        "language": write_adapter(tmp_path / "b", language),
    }
    expected: dict[str | None, torch.Tensor] = {None: alone}
    for name, matrices in (("every.part", every), ("language", language)):
        expected[name] = logits(load_model(write_merged(checkpoint, tmp_path / name, matrices)))
        assert differ(expected[name], alone) > 0.1
    load_adapters(model, folders)
    for name in (None, "every.part", "language", None, "language", "every.part"):
        use_adapter(model, name)
        assert differ(logits(model), expected[name]) < 1e-4, name
    with pytest.raises(KeyError, match="another"):
        use_adapter(model, "another")


@pytest.mark.parametrize("parts", [("language_model",), ("vision_model", "language_model")])
def test_unmerged_checkpoints_give_the_logits_of_merged_ones(
    checkpoint: Path, tmp_path: Path, parts: tuple[str, ...]
) -> None:
    matrices = make_matrices(checkpoint, rank=8, parts=parts)
    expected = logits(load_model(write_merged(checkpoint, tmp_path / "merged", matrices)))
    found = logits(load_model(write_unmerged(checkpoint, tmp_path / "unmerged", matrices)))
    assert differ(found, expected) < 1e-4


@pytest.fixture(scope="module")
def internlm2(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("internlm2") / "base"
    return make_checkpoint(folder, backbone="internlm2", dtype="float32")


def test_rank_stabilized_and_per_module_scales(internlm2: Path, tmp_path: Path) -> None:
    matrices = make_matrices(internlm2, rank=4)
    settings: dict[str, Any] = {
        "lora_alpha": 3,
        "use_rslora": True,
        "alpha_pattern": {"attention.wqkv": 5, "w2": 7},
    }

    def scale(module: str) -> float:
        alpha = {"wqkv": 5, "w2": 7}.get(module.rsplit(".", 1)[-1], 3)
        return float(alpha / 4**0.5)

    model = load_model(internlm2)
    load_adapters(model, {"a": write_adapter(tmp_path / "a", matrices, **settings)})
    use_adapter(model, "a")
    expected = logits(load_model(write_merged(internlm2, tmp_path / "merged", matrices, scale)))
    assert differ(logits(model), expected) < 1e-4


@pytest.mark.parametrize("prefix", ["", "base_model.model.", "base_model.model.base_model.model."])
def test_prefixes_and_a_language_model_that_was_wrapped_alone(
    internlm2: Path, tmp_path: Path, prefix: str
) -> None:
    matrices = make_matrices(internlm2, parts=("language_model",))
    alone = {name.removeprefix("language_model."): pair for name, pair in matrices.items()}
    model = load_model(internlm2)
    load_adapters(model, {"a": write_adapter(tmp_path / "a", alone, prefix)})
    use_adapter(model, "a")
    expected = logits(load_model(write_merged(internlm2, tmp_path / "merged", matrices)))
    assert differ(logits(model), expected) < 1e-4


Change = Callable[[Path], Any]


def setting(**values: Any) -> Change:
    def change(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return change


def tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    def rewrite(folder: Path) -> None:
        file = folder / "adapter_model.safetensors"
        found = load_file(file)
        change(found)
        save_file(found, file, {"format": "pt"})

    return rewrite


def pipe(name: str) -> Change:
    return lambda folder: ((folder / name).unlink(), os.mkfifo(folder / name))


def pickled(folder: Path) -> None:
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


QKV = "base_model.model.language_model.model.layers.0.attention.wqkv.lora_"
REFUSED: dict[str, tuple[Change, str]] = {
    "another kind": (setting(peft_type="LOHA"), 'peft_type is "LOHA", but must be "LORA"'),
    "dora": (setting(use_dora=True), "use_dora is true, but must be left out"),
    "biases": (setting(bias="lora_only"), 'bias is "lora_only", but must be left out'),
    "modules": (setting(modules_to_save=["mlp1"]), 'modules_to_save is ["mlp1"], but'),
    "pissa": (setting(init_lora_weights="pissa"), 'init_lora_weights is "pissa", but'),
    "unknown": (setting(use_new_idea=1), "use_new_idea is 1, but must be left out"),
    "rank 0": (setting(r=0), "r is 0, but must be a whole number from 1 to 4096"),
    "rank 4097": (setting(r=4097), "r is 4097, but must be a whole number from 1 to 4096"),
    "alpha": (setting(lora_alpha="8"), 'lora_alpha is "8", but must be a positive number'),
    "expression": (setting(alpha_pattern={"(a+)+$": 2}), "without regular expressions"),
    "list": (setting(alpha_pattern=[1]), "alpha_pattern is [1], but must be an object"),
    "no config": (lambda f: (f / "adapter_config.json").unlink(), "adapter_config.json is missing"),
    "no weights": (
        lambda f: (f / "adapter_model.safetensors").unlink(),
        "adapter_model.safetensors is missing",
    ),
    "pickled": (pickled, "has only pickled weights (adapter_model.bin)"),
    "pipe": (pipe("adapter_model.safetensors"), "is not a regular file"),
    "config pipe": (pipe("adapter_config.json"), "is not a regular file"),
    "no tensors": (tensors(lambda t: t.clear()), "has no weights; save the adapter again"),
    "half": (tensors(lambda t: t.pop(QKV + "A.weight")), "attention.wqkv has only lora_B"),
    "vector": (
        tensors(lambda t: t.update({QKV + "magnitude_vector.weight": torch.ones(3)})),
        "lora_magnitude_vector.weight is no LoRA matrix",
    ),
    "elsewhere": (
        tensors(
            lambda t: [
                t.update({k.replace(".wqkv.", ".qkv_proj."): t.pop(k)})
                for k in list(t)
                if "wqkv" in k
            ]
        ),
        "attention.qkv_proj is no linear layer of the model",
    ),
    "other size": (
        tensors(lambda t: t.update({QKV + "A.weight": torch.ones(4, 3)})),
        "has lora_A [4, 3] and lora_B [",
    ),
    "other rank": (
        tensors(lambda t: t.update({QKV + "A.weight": torch.ones(5, 256)})),
        "has lora_A [5, ",
    ),
    "integers": (
        tensors(lambda t: t.update({QKV + "A.weight": torch.ones(4, 3, dtype=torch.int8)})),
        "is of type I8, but must be BF16",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_named(internlm2: Path, tmp_path: Path, case: str) -> None:
    change, sentence = REFUSED[case]
    folder = write_adapter(tmp_path / "adapter", make_matrices(internlm2))
    change(folder)
    with pytest.raises(CheckpointError) as caught:
        load_adapters(load_model(internlm2), {"a": folder})
    assert sentence in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_missing_folder_is_named(internlm2: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere is not a directory; give the folder of a"):
        load_adapters(load_model(internlm2), {"a": tmp_path / "nowhere"})


def lora_of(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    file = path / "model.safetensors"
    found = load_file(file)
    change(found)
    save_file(found, file, {"format": "pt"})


WQKV = "language_model.base_model.model.model.layers.0.attention.wqkv"
UNMERGED: dict[str, tuple[Callable[[dict[str, torch.Tensor]], Any], int, str]] = {
    "rank not said": (lambda t: None, 0, "but config.json says LoRA of rank 0"),
    "other rank": (lambda t: None, 5, "but config.json says LoRA of rank 5"),
    "half": (lambda t: t.pop(f"{WQKV}.lora_A.default.weight"), 4, "wqkv.weight are not all there"),
    "no base": (lambda t: t.pop(f"{WQKV}.base_layer.weight"), 4, "wqkv.weight are not all there"),
    "no matrices": (
        lambda t: [t.pop(f"{WQKV}.lora_{x}.default.weight") for x in "AB"],
        4,
        "wqkv.weight are not all there",
    ),
    "twice": (
        lambda t: t.update(
            {"language_model.model.layers.0.attention.wqkv.weight": torch.ones(2, 2)}
        ),
        4,
        "is there twice; keep only one of the two",
    ),
}


@pytest.mark.parametrize("case", UNMERGED)
def test_unmerged_checkpoints_that_do_not_fit(internlm2: Path, tmp_path: Path, case: str) -> None:
    change, rank, sentence = UNMERGED[case]
    parts = ("language_model",)
    path = write_unmerged(internlm2, tmp_path / "unmerged", make_matrices(internlm2, parts=parts))
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "use_llm_lora": rank}))
    lora_of(path, change)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert sentence in str(caught.value)


def test_every_part_is_wrapped(internlm2: Path) -> None:
    matrices: Matrices = make_matrices(internlm2)
    assert {module.split(".")[0] for module in matrices} == set(TARGETS)
