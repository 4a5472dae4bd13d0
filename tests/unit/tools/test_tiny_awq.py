"""The AWQ packer of `tests.tiny`: its layout, its rounding, and a checkpoint that others packed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from safetensors.torch import load_file

from tests.tiny import dequantize_awq, make_checkpoint, quantize_awq
from tests.tiny.awq import LEVELS, dequantize_weight, pack, quantize_weight, unpack
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.transformers.model.from_checkpoint import load_model

GOLDENS = Path(__file__).resolve().parents[4] / "shared" / "reference" / "goldens"
GOLDEN = GOLDENS / "internlm2_w_awq"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the reference's tensors are absent")


@pytest.fixture(scope="module")
def awq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("awq")
    source = make_checkpoint(folder / "source", backbone="internlm2", dtype="float16", shards=2)
    return quantize_awq(source, folder / "awq")


def test_eight_nibbles_are_interleaved() -> None:
    """AutoAWQ's order, written out: the second nibble is the third column."""
    (word,) = pack(torch.tensor([[0, 1, 2, 3, 4, 5, 6, 15]])).flatten().tolist()
    assert word & 0xFFFFFFFF == 0xF5316420


def test_packing_is_undone_by_unpacking() -> None:
    values = torch.randint(0, LEVELS + 1, (64, 32), generator=torch.Generator().manual_seed(0))
    assert torch.equal(unpack(pack(values)), values)


def test_a_weight_comes_back_within_its_step() -> None:
    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    parts = quantize_weight(weight, 128)
    # Rounding a level costs half a step, and rounding the zero point as much at the ends.
    steps = parts["scales"].float().repeat_interleave(128, 0).t()
    difference = (dequantize_weight(**parts) - weight).abs()
    assert (difference <= 1.01 * steps).all()
    assert (difference / steps).mean() < 0.3
    levels = unpack(parts["qweight"])
    assert (int(levels.min()), int(levels.max())) == (0, LEVELS)


def test_the_twin_differs_only_where_weights_were_quantized(awq: Path, tmp_path: Path) -> None:
    source = {
        k: v for f in awq.parent.glob("source/*.safetensors") for k, v in load_file(f).items()
    }
    twin_path = dequantize_awq(awq, tmp_path / "twin")
    twin = load_file(twin_path / "model.safetensors")
    assert {k: v.shape for k, v in twin.items()} == {k: v.shape for k, v in source.items()}
    changed = {name for name, x in source.items() if not torch.equal(twin[name], x.float())}
    layers = "language_model.model.layers."
    assert changed == {k for k, v in source.items() if k.startswith(layers) and v.dim() == 2}
    assert read_config(twin_path).quantization is None
    again = quantize_awq(awq.parent / "source", tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (awq / "model.safetensors").read_bytes()


def test_a_layer_that_does_not_fit_is_named(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "source", backbone="llama", hidden=192, heads=6)
    with pytest.raises(ValueError, match=r"layers\.0\..* \[256, 192\] does not fit groups of 128"):
        quantize_awq(source, tmp_path / "awq")


@needs_golden
def test_names_shapes_types_and_settings_agree_with_the_golden(tmp_path: Path) -> None:
    source = make_checkpoint(
        tmp_path / "source", backbone="internlm2", dtype="float16", heads=8, vocab_size=1609
    )
    made = quantize_awq(source, tmp_path / "awq")

    def described(path: Path) -> dict[str, Any]:
        tensors = load_file(path / "model.safetensors")
        return {name: (list(x.shape), x.dtype) for name, x in tensors.items()}

    def settings(path: Path) -> Any:
        return json.loads((path / "config.json").read_text())["llm_config"]["quantization_config"]

    assert described(made) == described(GOLDEN)
    assert settings(made) == settings(GOLDEN)


@needs_golden
@pytest.mark.parametrize("kind", ["text", "image"])
def test_the_goldens_twin_has_the_goldens_logits(tmp_path: Path, kind: str) -> None:
    """Packed by someone else's code, and answered by someone else's model."""
    model = load_model(dequantize_awq(GOLDEN, tmp_path / "twin"), dtype="float32")
    expected = load_file(GOLDEN / "golden.safetensors")
    pixels = load_file(GOLDENS / "pixel_values.safetensors")["pixel_values"]
    with torch.inference_mode():
        logits = model(
            input_ids=expected[f"{kind}_ids"], pixel_values=pixels if kind == "image" else None
        ).logits
    assert (logits - expected[f"{kind}_logits"]).abs().max() < 2e-4
