"""Quantized weights: bitsandbytes while loading, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tests.tiny import make_checkpoint, quantize_awq
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.checkpoint.weight_format import check_quantization
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.bitsandbytes import build_quantization_config
from xinference_internvl2.transformers.model.from_checkpoint import load_model

BACKBONES = ("qwen2", "internlm2", "phi3", "llama")
LANGUAGE_MODEL = "model.language_model."


def last_logits(model: Any, ids: torch.Tensor, pixels: torch.Tensor | None) -> torch.Tensor:
    pixels = None if pixels is None else pixels.to(model.dtype)
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values=pixels).logits[0, -1].float()


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.cosine_similarity(one, other, dim=0))


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


def test_what_belongs_together_is_let_through(tmp_path: Path) -> None:
    plain = make_checkpoint(tmp_path / "plain", backbone="qwen2")
    source = make_checkpoint(tmp_path / "source", backbone="internlm2", dtype="float16")
    awq = quantize_awq(source, tmp_path / "awq")
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
