"""Configurations as tools save them again: the same model, or the sentence that refuses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tests.tiny import edit_config, make_checkpoint
from tests.tiny.resaved import VARIANTS, Config, add_buffers, move_to_rope_parameters
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.checkpoint.llm_hf_config import build_language_config, check_kept
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.from_checkpoint import load_model

BACKBONES = ("qwen2", "internlm2", "phi3", "llama")
HUB = Path(__file__).resolve().parents[4] / "shared" / "reference" / "hub"


@pytest.fixture(scope="module", params=BACKBONES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    path = make_checkpoint(
        tmp_path_factory.mktemp("resaved") / "base", backbone=request.param, dtype="float32"
    )
    if request.param == "phi3":  # another than the class default
        edit_config(path, lambda c: c["llm_config"].update(original_max_position_embeddings=8))
    return path


def logits(path: Path) -> torch.Tensor:
    with torch.inference_mode():
        return load_model(path, dtype="float32")(input_ids=torch.arange(5, 25)[None]).logits


@pytest.fixture(scope="module")
def expected(checkpoint: Path) -> torch.Tensor:
    return logits(checkpoint)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_model(checkpoint: Path, expected: Any, tmp_path: Path, variant: str) -> None:
    path = tmp_path / "again"
    path.mkdir()
    for file in checkpoint.iterdir():
        (path / file.name).symlink_to(file)
    (path / "config.json").unlink()
    config = json.loads((checkpoint / "config.json").read_text())
    VARIANTS[variant](config)
    (path / "config.json").write_text(json.dumps(config))
    assert torch.equal(logits(path), expected)


def test_buffers_are_skipped(checkpoint: Path, expected: Any, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        shutil.copy(file, tmp_path)
    add_buffers(tmp_path)
    assert torch.equal(logits(tmp_path), expected)


def llm(**values: Any) -> Callable[[Config], Any]:
    return lambda config: config["llm_config"].update(values)


def rope(**values: Any) -> Callable[[Config], Any]:
    def change(config: Config) -> None:
        move_to_rope_parameters(config, keep=True)
        config["llm_config"]["rope_parameters"].update(values)

    return change


REFUSED: dict[str, tuple[str, Callable[[Config], Any], str]] = {
    "theta": ("qwen2", rope(rope_theta=1e4), "rope_theta is 1000000.0, but must be what"),
    "factor": ("internlm2", rope(factor=3.0), "rope_scaling is {"),
    "two kinds": ("internlm2", rope(type="linear"), 'type is "linear", but must be what'),
    "original": (
        "phi3",
        rope(original_max_position_embeddings=99),
        "rope_parameters.original_max_position_embeddings is 99, but must be 4096",
    ),
    "other ratio": ("phi3", rope(factor=2.0), "rope_parameters.factor is 2.0, but must be 32.0"),
    "temperature": ("phi3", rope(attention_factor=2.0), "attention_factor is 2.0, but must be"),
    "partial": ("phi3", rope(partial_rotary_factor=0.5), "partial_rotary_factor is 0.5, but"),
    "unknown part": ("qwen2", rope(beta=1), "rope_parameters.beta is 1, but must be left out"),
    "kind of another": (
        "phi3",
        llm(rope_scaling={"type": "linear", "factor": 2.0}),
        'rope_scaling.type is "linear", but must be longrope or default',
    ),
    "kind is a list": ("qwen2", llm(rope_scaling={"type": []}), "type is [], but must be a text"),
    "no division": (
        "phi3",
        llm(original_max_position_embeddings=1),
        "original_max_position_embeddings is 1, but must be a whole number from 2 to 16777216",
    ),
    "dtypes": (
        "llama",
        lambda c: c.update(dtype="float16", torch_dtype="float32"),
        'torch_dtype is "float32", but must be what dtype says',
    ),
    "template is a list": ("llama", lambda c: c.update(template=["x"]), 'template is ["x"], but'),
    "head_dim": ("llama", llm(head_dim=64), "head_dim is 64, but must be 32"),
    "unknown": ("llama", llm(attn_logit_softcapping=30), "softcapping is 30, but must be left out"),
    "biases": ("llama", llm(mlp_bias=True), "mlp_bias is true, but must be left out"),
    "partly": ("llama", llm(partial_rotary_factor=0.5), "partial_rotary_factor is 0.5, but must"),
    "layers": (
        "qwen2",
        llm(layer_types=["sliding_attention"] * 2),
        "layer_types is [",
    ),
    "at the top": ("llama", lambda c: c.update(mixture=4), "mixture is 4, but must be left out"),
    "vision": (
        "llama",
        lambda c: c["vision_config"].update(use_rope=True),
        "vision_config.use_rope is true, but must be left out",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(tmp_path: Path, case: str) -> None:
    backbone, change, sentence = REFUSED[case]
    path = make_checkpoint(tmp_path / "checkpoint", backbone=backbone)  # type: ignore[arg-type]
    edit_config(path, change)
    with pytest.raises(CheckpointError) as caught:
        read_config(path)
    assert sentence in str(caught.value)
    assert str(caught.value).isprintable()


BOUNDS = [
    ("llm_config", "num_hidden_layers", 1, 1024),
    ("llm_config", "vocab_size", 1, 1 << 22),
    ("llm_config", "intermediate_size", 1, 1 << 22),
    ("llm_config", "max_position_embeddings", 1, 1 << 24),
    ("vision_config", "intermediate_size", 1, 1 << 22),
    ("vision_config", "num_hidden_layers", 1, 1024),
    ("vision_config", "num_channels", 3, 3),
    ("vision_config", "image_size", 1, 4096),
    ("", "max_dynamic_patch", 1, 64),
    ("", "use_llm_lora", 0, 4096),
    ("", "use_backbone_lora", 0, 4096),
]


@pytest.mark.parametrize(("section", "key", "low", "high"), BOUNDS)
def test_bounds_at_them_and_one_beyond(
    tmp_path: Path, section: str, key: str, low: int, high: int
) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone="llama")
    for value, fine in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        edit_config(path, lambda c, v=value: (c[section] if section else c).update({key: v}))
        if fine:
            read_config(path)
            continue
        with pytest.raises(CheckpointError, match=f"{key} is {value}, but must be a whole number"):
            read_config(path)


@pytest.mark.parametrize("name", ["InternVL2-1B", "InternVL2-2B"])
def test_published_configurations_are_read(name: str) -> None:
    if not HUB.is_dir():
        pytest.skip("the published files are absent")
    assert read_config(HUB / name).template


@pytest.mark.parametrize("backbone", BACKBONES)
def test_absent_fields_are_the_defaults_of_the_published_class(
    tmp_path: Path, backbone: Any
) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone=backbone)

    def bare(config: Config) -> None:
        config["llm_config"] = {"architectures": config["llm_config"]["architectures"]}

    edit_config(path, bare)
    llm = read_config(path).llm
    assert llm["hidden_size"] == (3072 if backbone == "phi3" else 4096)
    assert llm.get("attention_bias", None) == {"internlm2": True, "llama": False}.get(backbone)
    assert llm["rope_parameters"] == {"rope_type": "default", "rope_theta": 10000.0}


def test_what_a_class_puts_in_place_of_a_field_is_noticed(tmp_path: Path) -> None:
    checkpoint = read_config(make_checkpoint(tmp_path / "checkpoint", backbone="phi3"))
    config = build_language_config(checkpoint)
    assert config.original_max_position_embeddings == 4096
    config.rope_parameters["rope_theta"] = 5.0
    with pytest.raises(CheckpointError, match="Phi3Config holds rope_parameters"):
        check_kept(config, checkpoint.llm)
