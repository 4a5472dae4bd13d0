"""The estimate of memory: parameters and bytes against real models, tensor by tensor."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from safetensors import safe_open
from transformers import BitsAndBytesConfig

from generator.family.memory_from_dimensions import (
    CHUNK,
    CONTEXT,
    MASK,
    TILES,
    TILES_AT_ONCE,
    LanguageModel,
    compute_memory,
    count_parameters,
    estimate_by_quantization,
    find_dimensions,
)
from generator.family.model import VisionTower
from generator.paths import ROOT
from generator.spec.load import load_one
from tests.tiny import make_checkpoint, quantize_awq
from tests.tiny.dims import Backbone, Dims, Vit, resolve_dims
from tests.tiny.llm_config import ARCHITECTURES
from tests.tiny.weights import list_weight_shapes
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.doctor.memory_from_shapes import estimate_memory
from xinference_internvl2.families import memory_estimate as plugin_memory
from xinference_internvl2.families.memory_estimate import Use
from xinference_internvl2.families.records import FAMILIES, load_runtimes
from xinference_internvl2.transformers.engine import model_runner, scheduler
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.hf_config import model_config
from xinference_internvl2.transformers.model.internvl2_model import (
    InternVL2ForConditionalGeneration,
)

BACKBONES = get_args(Backbone)
# As the checkpoints' model cards have them, in billions.
PUBLISHED = {1: 0.94, 2: 2.21, 4: 4.15, 8: 8.08, 26: 25.5, 40: 40.1, 76: 76.3}


def tower(vit: Vit, dims: Dims) -> VisionTower:
    large = vit == "6b"
    return VisionTower(
        name=vit,
        hidden_size=dims.vit_hidden,
        intermediate_size=dims.vit_intermediate,
        num_hidden_layers=dims.vit_layers,
        num_attention_heads=dims.vit_heads,
        image_size=dims.image_size,
        patch_size=dims.patch_size,
        norm_type="rms_norm" if large else "layer_norm",
        qkv_bias=not large,
        qk_normalization=large,
    )


def language(backbone: Backbone, dims: Dims) -> LanguageModel:
    return LanguageModel.from_metadata(
        ARCHITECTURES[backbone],
        {
            "vocab_size": dims.vocab_size,
            "hidden_size": dims.hidden,
            "intermediate_size": dims.intermediate,
            "num_hidden_layers": dims.layers,
            "num_attention_heads": dims.heads,
            "num_key_value_heads": dims.kv_heads,
        },
    )


@pytest.mark.parametrize("preset", ["tiny", "1b", "2b", "8b"])
@pytest.mark.parametrize("vit", get_args(Vit))
@pytest.mark.parametrize("backbone", BACKBONES)
def test_parameters_are_those_of_the_checkpoint(backbone: Backbone, vit: Vit, preset: str) -> None:
    dims = resolve_dims(preset, backbone, {})
    dims = replace(dims, vocab_size=dims.vocab_size or 1000)
    tensors = sum(map(math.prod, list_weight_shapes(backbone, vit, dims).values()))
    assert count_parameters(tower(vit, dims), language(backbone, dims)) == tensors


@pytest.fixture(scope="module", params=BACKBONES)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A checkpoint of odd dimensions with the larger tower, and its estimate by quantization."""
    dims: dict[str, Any] = {"hidden": 256, "intermediate": 640, "heads": 4, "layers": 3}
    path = make_checkpoint(
        tmp_path_factory.mktemp("tiny"), backbone=request.param, vit="6b", dtype="float16", **dims
    )
    vocabulary = json.loads((path / "config.json").read_text())["llm_config"]["vocab_size"]
    sizes = resolve_dims("tiny", request.param, {**dims, "vocab_size": vocabulary})
    parts = tower("6b", sizes), language(request.param, sizes)
    return (
        path,
        lambda quantization: compute_memory(*parts, quantization, 100, 2),
        count_parameters(*parts),
    )


def test_parameters_are_those_of_the_model(tiny: Any) -> None:
    path, estimate, count = tiny
    with torch.device("meta"):
        model = InternVL2ForConditionalGeneration(model_config(read_config(path)))
    assert count == sum(p.numel() for p in model.parameters())
    assert estimate("none").weights == 2 * count


def stored(model: Any) -> int:
    """The bytes of every tensor that a model keeps, those of bitsandbytes included."""
    tensors = list(model.parameters())
    for parameter in model.parameters():
        if (state := getattr(parameter, "quant_state", None)) is not None:
            tensors += [state.absmax, state.state2.absmax]
        if (scales := getattr(parameter, "SCB", None)) is not None:
            tensors.append(scales)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("8-bit", {"load_in_8bit": True}),
        (
            "4-bit",
            {
                "load_in_4bit": True,
                "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_use_double_quant": True,
            },
        ),
    ],
)
def test_bytes_are_those_that_bitsandbytes_keeps(
    tiny: Any, name: str, options: dict[str, Any]
) -> None:
    pytest.importorskip("bitsandbytes")
    path, estimate, _ = tiny
    model = load_model(path, quantization_config=BitsAndBytesConfig(**options))
    # Scales of scales come in whole float32, of which the last one may be for fewer.
    assert stored(model) == pytest.approx(estimate(name).weights, rel=1e-4)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(path, framework="np") as file:
        names = list(file.keys())
        return {name: tuple(file.get_slice(name).get_shape()) for name in names}


def test_bytes_are_those_of_an_awq_checkpoint(tiny: Any, tmp_path: Path) -> None:
    path, estimate, _ = tiny
    file = quantize_awq(path, tmp_path / "awq") / "model.safetensors"
    with file.open("rb") as data:
        header = 8 + int.from_bytes(data.read(8), "little")
    size = file.stat().st_size - header
    assert size == estimate("Int4").weights
    found = estimate_memory(read_config(file.parent), read_shapes(file))
    assert found.weights == {"Int4": size}


def test_the_familys_sizes_are_those_that_are_published() -> None:
    family = load_one(ROOT / "family_specs/internvl2.yaml").family
    found = {}
    for spec, serving in family.served_specs:
        assert spec.vision_tower is not None
        model = LanguageModel.from_metadata(serving.backbone, spec.dimensions)
        count = count_parameters(family.vision_towers[spec.vision_tower], model)
        found.setdefault(spec.size, count)
        assert found[spec.size] == count
    assert found == {size: pytest.approx(n * 1e9, rel=0.005) for size, n in PUBLISHED.items()}
    assert found[1] == 938158976


def test_the_keys_and_values_grow_with_the_context(tiny: Any) -> None:
    path, *_ = tiny
    config = read_config(path)
    model = load_model(path)
    out = model(input_ids=torch.full((1, 100), 11), use_cache=True)
    kept = [t for layer in out.past_key_values.layers for t in (layer.keys, layer.values)]
    assert sum(t.numel() * t.element_size() for t in kept) == tiny[1]("none").kv_cache
    assert len(kept) == 2 * config.llm["num_hidden_layers"]


def test_the_host_gets_the_estimates_of_the_weights() -> None:
    family = load_one(ROOT / "family_specs/internvl2.yaml").family
    (record,) = json.loads((FAMILIES / "internvl2.json").read_text("utf-8"))
    for spec, registered in zip(family.specs, record["model_specs"], strict=True):
        known = {q: m.weights for q, m in estimate_by_quantization(family, spec).items()}
        assert set(known) == set(spec.quantizations)
        for source in registered["model_src"].values():
            of_each = source["model_metadata_by_quantization"]
            assert {q: m["weights_bytes"] for q, m in of_each.items()} == known


@pytest.mark.parametrize(
    ("context", "pictures"), [(1, 0), (512, 0), (513, 0), (8192, 1), (20000, 4)]
)
def test_the_plugin_counts_as_the_page_does(context: int, pictures: int) -> None:
    family = load_one(ROOT / "family_specs/internvl2.yaml").family
    use = Use(context, pictures)
    for spec, loaded in zip(family.specs, load_runtimes()["internvl2"].model_specs, strict=True):
        parts = find_dimensions(family, spec)
        assert parts
        assert loaded.memory
        assert set(loaded.memory.weights) == set(spec.quantizations)
        for quantization in spec.quantizations:
            page = compute_memory(*parts, quantization, context, use.tiles)
            assert loaded.memory.total(quantization, use) == page.total
            twice = Use(context, pictures, answers=2)
            assert loaded.memory.total(quantization, twice) == page.total + page.kv_cache


def test_the_doctor_counts_a_checkpoint_as_the_page_does(tiny: Any) -> None:
    path, page, _ = tiny
    found = estimate_memory(read_config(path), read_shapes(path / "model.safetensors"))
    use = Use(context=100, tiles_per_picture=2)
    for quantization in ("none", "8-bit", "4-bit"):
        assert found.total(quantization, use) == page(quantization).total


def test_the_page_is_for_the_use_that_the_doctor_takes_by_default() -> None:
    assert Use() == Use(context=CONTEXT, pictures=1, answers=1, tiles_per_picture=TILES)


def test_the_loader_looks_at_as_many_tiles_at_once_as_are_counted() -> None:
    assert model_runner.TILES_AT_ONCE == TILES_AT_ONCE == plugin_memory.TILES_AT_ONCE
    assert scheduler.CHUNK == CHUNK == plugin_memory.CHUNKS["Transformers"]
    assert MASK == plugin_memory.MASK


def test_vllms_attention_copies_nothing_and_reads_larger_pieces() -> None:
    found = plugin_memory.Memory({"none": 0}, 0, 10, 20, 30, 40, 50)
    use = Use(context=8193)
    assert found.activations(use, "vLLM") == 13 * 50 + 20 * 8192
    chunk = 20 * 512 + (30 + 3 * 512) * 8193
    assert found.activations(use, "Transformers") == 13 * 50 + chunk
