"""Quantized weights: the tests' AWQ packer, bitsandbytes while loading, and what is refused."""

from __future__ import annotations

import json
import re
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
from xinference_internvl2.checkpoint.weight_format import check_quantization
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.bitsandbytes import build_quantization_config
from xinference_internvl2.transformers.model.from_checkpoint import load_model

GOLDENS = Path(__file__).resolve().parents[5] / "shared" / "reference" / "goldens"
GOLDEN = GOLDENS / "internlm2_w_awq"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the reference's tensors are absent")

BACKBONES = ("qwen2", "internlm2", "phi3", "llama")
LANGUAGE_MODEL = "model.language_model."


@pytest.fixture(scope="module")
def awq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("awq")
    source = make_checkpoint(folder / "source", backbone="internlm2", dtype="float16", shards=2)
    return quantize_awq(source, folder / "awq")


def last_logits(model: Any, ids: torch.Tensor, pixels: torch.Tensor | None) -> torch.Tensor:
    pixels = None if pixels is None else pixels.to(model.dtype)
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values=pixels).logits[0, -1].float()


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.cosine_similarity(one, other, dim=0))


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


def bits(name: str) -> Any:
    """The configuration that the Transformers loader makes of `--quantization`."""
    from transformers import BitsAndBytesConfig

    if name == "8-bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


@pytest.fixture(scope="module", params=BACKBONES)
def unquantized(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    path = make_checkpoint(tmp_path_factory.mktemp("tiny"), backbone=request.param, seed=1)
    return path, load_model(path)


def prompts(path: Path, model: Any) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """A text, and the same around a tile of noise."""
    config, generator = read_config(path), torch.Generator().manual_seed(0)
    text = torch.randint(10, 200, (1, 24), generator=generator)
    image = torch.full((1, config.tokens_per_tile), model.config.image_token_id)
    tile = torch.randn(1, 3, config.tile_size, config.tile_size, generator=generator)
    return [(text, None), (torch.cat([text[:, :8], image, text[:, 8:]], 1), tile)]


@pytest.mark.parametrize(
    ("name", "kind", "least"), [("8-bit", "Linear8bitLt", 0.999), ("4-bit", "Linear4bit", 0.95)]
)
def test_bitsandbytes_quantizes_the_language_model_only(
    unquantized: tuple[Path, Any], name: str, kind: str, least: float
) -> None:
    pytest.importorskip("bitsandbytes")
    path, plain = unquantized
    model = load_model(path, quantization_config=bits(name))
    found = {n: type(m).__name__ for n, m in model.named_modules() if "Linear" in type(m).__name__}
    inside = {n for n in found if n.startswith(LANGUAGE_MODEL)}
    assert len(inside) >= 2 * 4
    assert {found[n] for n in inside} == {kind}
    assert {found[n] for n in found.keys() - inside} == {"Linear"}
    assert "lm_head" in found
    assert any("vision_tower" in n for n in found)
    assert any("multi_modal_projector" in n for n in found)
    for ids, pixels in prompts(path, model):
        similarity = cosine(last_logits(model, ids, pixels), last_logits(plain, ids, pixels))
        assert least <= similarity < 0.999999


AWQ_SETTINGS = {"quant_method": "awq", "bits": 4, "version": "gemm"}
REFUSED: list[tuple[dict[str, Any] | None, str, str, str]] = [
    (None, "awq", "Int4", "holds unquantized weights, but format awq with quantization Int4 was"),
    (AWQ_SETTINGS, "pytorch", "4-bit", "holds AWQ in 4 bit, but format pytorch .* 4-bit was"),
    (AWQ_SETTINGS, "pytorch", "8-bit", "holds AWQ in 4 bit, but format pytorch .* 8-bit was"),
    (AWQ_SETTINGS, "pytorch", "none", "AWQ in 4 bit, .* none was .*; launch it with format awq"),
    ({"quant_method": "gptq", "bits": 4}, "awq", "Int4", "holds weights quantized with gptq, but"),
    ({"quant_method": "exl2"}, "pytorch", "none", "with exl2, .* with unquantized weights$"),
    ({**AWQ_SETTINGS, "version": "gemv"}, "awq", "Int4", "AWQ in 4 bit and gemv layout, but"),
    ({**AWQ_SETTINGS, "bits": 8}, "awq", "Int4", "AWQ in 8 bit and gemm layout, but"),
]


def claiming(settings: dict[str, Any] | None, path: Path, place: str) -> Path:
    """A checkpoint whose configuration has `settings`, and no weights to read at all."""
    make_checkpoint(path, backbone="qwen2")
    config = json.loads((path / "config.json").read_text())
    section = config["llm_config"] if place == "llm_config" else config
    section["quantization_config"] = settings
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").unlink()
    return path


@pytest.mark.parametrize("place", ["llm_config", "top"])
@pytest.mark.parametrize(("settings", "model_format", "quantization", "named"), REFUSED)
def test_a_wrong_combination_names_what_was_found_and_asked(
    tmp_path: Path, settings: Any, model_format: str, quantization: str, named: str, place: str
) -> None:
    path = claiming(settings, tmp_path, place)
    with pytest.raises(CheckpointError, match=named):
        check_quantization(read_config(path), model_format, quantization)


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("quantize_config.json", "gptq"),
        ("quant_config.json", "awq"),
        ("output.safetensors", "exl2"),
        ("output-00001-of-00002.safetensors", "exl2"),
    ],
)
def test_some_quantizers_tell_it_in_a_file_of_their_own(
    tmp_path: Path, file: str, found: str
) -> None:
    path = claiming(None, tmp_path, "top")
    (path / file).write_text("{}")
    named = re.escape(f"holds weights quantized with {found} ({file}), but format pytorch")
    with pytest.raises(CheckpointError, match=named):
        check_quantization(read_config(path), "pytorch", "none")


# One that 4 bits take, and by what the others miss it: inputs, outputs, and both.
SIZES = {"fits": (128, 256), "inputs": (96, 256), "outputs": (128, 208), "both": (80, 200)}


@pytest.mark.parametrize("case", SIZES)
def test_a_shape_that_bitsandbytes_cannot_quantize_is_named(tmp_path: Path, case: str) -> None:
    pytest.importorskip("bitsandbytes")
    hidden, intermediate = SIZES[case]
    dims = {"hidden": hidden, "intermediate": intermediate, "heads": 2, "kv_heads": 2}
    path = make_checkpoint(tmp_path, backbone="llama", **dims)
    assert load_model(path, quantization_config=bits("8-bit"))
    if case == "fits":
        assert load_model(path, quantization_config=bits("4-bit"))
        return
    with pytest.raises(CheckpointError) as caught:
        load_model(path, quantization_config=bits("4-bit"))
    assert re.search(
        r"_proj\.weight \[\d+, \d+\] cannot be quantized to 4-bit, which takes multiples of 32 "
        r"outputs and 64 inputs; launch it as 8-bit or none$",
        str(caught.value),
    )


def test_what_belongs_together_is_let_through(tmp_path: Path, awq: Path) -> None:
    plain = make_checkpoint(tmp_path, backbone="qwen2")
    for path, model_format, quantization in (
        (awq, "awq", "Int4"),
        *((plain, "pytorch", name) for name in ("4-bit", "8-bit", "none", None)),
    ):
        check_quantization(read_config(path), model_format, quantization)


@pytest.mark.parametrize(
    ("quantization", "options", "wanted"),
    [
        ("8-bit", {}, {"load_in_8bit": True, "load_in_4bit": False}),
        ("8-bit", {"llm_int8_threshold": 3.0}, {"load_in_8bit": True, "llm_int8_threshold": 3.0}),
        ("4-bit", {}, {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}),
        ("4-bit", {}, {"bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.float16}),
        ("4-bit", {"bnb_4bit_quant_type": "fp4"}, {"bnb_4bit_quant_type": "fp4"}),
        ("none", {"load_in_8bit": True}, {"load_in_8bit": True}),
    ],
)
def test_the_options_of_a_launch_come_before_those_of_its_quantization(
    quantization: str, options: dict[str, Any], wanted: dict[str, Any]
) -> None:
    found = build_quantization_config(quantization, options, torch.float16)
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_nothing_is_configured_where_nothing_is_quantized() -> None:
    assert build_quantization_config("none", {}, torch.float16) is None
