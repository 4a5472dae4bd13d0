"""AWQ checkpoints on Transformers: against the weights that they stand for, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gptqmodel")

import torch
from safetensors.torch import load_file, save_file

from tests.tiny import dequantize_awq, make_checkpoint, quantize_awq
from tests.tiny.awq import move_settings_to_top
from tests.unit.tools.test_tiny_awq import GOLDEN, GOLDENS, needs_golden
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.from_checkpoint import load_model

from .test_bitsandbytes import (
    BACKBONES,
    LANGUAGE_MODEL,
    cosine,
    last_logits,
    prompts,
)

LEAST_COSINE = 0.9999
ON_CPU, ANYWHERE = "TorchAtenAwqLinear", "AwqTorchLinear"


def made(folder: Path, backbone: Any, group_size: int = 128, **dims: int) -> Path:
    source = make_checkpoint(
        folder / "source", backbone=backbone, dtype="float16", seed=1, intermediate=512, **dims
    )
    return quantize_awq(source, folder / "awq", group_size)


def linear_layers(model: Any) -> dict[bool, set[str]]:
    """Inside the language model's layers and outside → the classes of the linear layers."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for name, module in model.named_modules():
        if "Linear" in type(module).__name__:
            found[name.startswith(LANGUAGE_MODEL)].add(type(module).__name__)
    return found


@pytest.fixture(scope="module", params=BACKBONES)
def awq(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wide enough for several groups, and for heads of their own for keys and values."""
    folder = tmp_path_factory.mktemp(request.param)
    return made(folder, request.param, hidden=256, heads=8)


@pytest.fixture(scope="module")
def twin(awq: Path) -> Any:
    return load_model(dequantize_awq(awq, awq.parent / "twin"), dtype="float32")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_awq_answers_as_the_weights_that_it_stands_for(awq: Path, twin: Any, dtype: str) -> None:
    model = load_model(awq, dtype=dtype)
    assert linear_layers(model) == {True: {ON_CPU}, False: {"Linear"}}
    assert {parameter.dtype for parameter in model.parameters()} == {getattr(torch, dtype)}
    for ids, pixels in prompts(awq, model):
        similarity = cosine(last_logits(model, ids, pixels), last_logits(twin, ids, pixels))
        assert similarity >= LEAST_COSINE


@pytest.mark.parametrize(
    ("device_map", "kernel", "group_size"),
    [(None, ON_CPU, 32), ({"": "cpu"}, ON_CPU, 64), ("auto", ANYWHERE, 64)],
)
def test_settings_at_the_top_other_groups_and_other_devices(
    tmp_path: Path, device_map: Any, kernel: str, group_size: int
) -> None:
    """A device map that is not the CPU's takes the kernel that runs on every device, here too."""
    path = made(tmp_path, "internlm2", group_size)
    twin = load_model(dequantize_awq(path, tmp_path / "twin"), dtype="float32")
    move_settings_to_top(path)
    model = load_model(path, device_map=device_map)
    assert linear_layers(model) == {True: {kernel}, False: {"Linear"}}
    for ids, pixels in prompts(path, model):
        similarity = cosine(last_logits(model, ids, pixels), last_logits(twin, ids, pixels))
        assert similarity >= LEAST_COSINE


@needs_golden
@pytest.mark.parametrize("kind", ["text", "image"])
def test_the_golden_checkpoint_has_the_goldens_logits(kind: str) -> None:
    model = load_model(GOLDEN)
    expected = load_file(GOLDEN / "golden.safetensors")
    pixels = load_file(GOLDENS / "pixel_values.safetensors")["pixel_values"].half()
    with torch.inference_mode():
        logits = model(
            input_ids=expected[f"{kind}_ids"], pixel_values=pixels if kind == "image" else None
        ).logits.float()
    wanted = expected[f"{kind}_logits"]
    assert torch.cosine_similarity(logits, wanted, dim=-1).min() >= LEAST_COSINE
    assert (logits - wanted).abs().max() < 0.02 * wanted.abs().max()


LOAD = """
import sys, torch
from xinference_internvl2.transformers.model.from_checkpoint import load_model
for options in ({}, {"device_map": "auto"}):
    load_model(sys.argv[1], **options)(input_ids=torch.tensor([[5]]))
print("loaded")
"""


def run(code: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_no_kernel_is_compiled_or_fetched(tmp_path: Path) -> None:
    """Where no compiler can be found, and nothing is written where compiled code would lie."""
    written = [tmp_path / name for name in ("extensions", "triton", "inductor")]
    names = ("TORCH_EXTENSIONS_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
    places = dict(zip(names, map(str, written), strict=True))
    done = run(LOAD, made(tmp_path, "qwen2"), PATH="", CUDA_HOME="", HF_HUB_OFFLINE="1", **places)
    assert "loaded" in done.stdout, done.stderr
    assert not any(file for place in written for file in place.rglob("*") if file.is_file())


def test_a_missing_gptqmodel_is_named_with_its_extra(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gptqmodel", None)
    with pytest.raises(ValueError, match="computes AWQ weights with gptqmodel") as caught:
        load_model(whole)
    assert "pip install 'xinference-internvl2[awq]'" in str(caught.value)


def tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        found = load_file(path / "model.safetensors")
        change(found)
        save_file(found, path / "model.safetensors", {"format": "pt"})

    return apply


def settings(**changes: Any) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        config = json.loads((path / "config.json").read_text())
        config["llm_config"]["quantization_config"].update(changes)
        (path / "config.json").write_text(json.dumps(config))

    return apply


def dimensions(**changes: int) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        config = json.loads((path / "config.json").read_text())
        config["llm_config"].update(changes)
        (path / "config.json").write_text(json.dumps(config))

    return apply


WQKV = "language_model.model.layers.0.attention.wqkv"
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "floats for integers": (
        tensors(lambda found: found.update({f"{WQKV}.qweight": found[f"{WQKV}.qweight"].half()})),
        f"weight {WQKV}.qweight is of type F16, but must be I32",
    ),
    "integers for floats": (
        tensors(lambda found: found.update({f"{WQKV}.scales": found[f"{WQKV}.scales"].int()})),
        f"weight {WQKV}.scales is of type I32, but must be BF16 or F16 or F32",
    ),
    "wider integers": (
        tensors(lambda found: found.update({f"{WQKV}.qzeros": found[f"{WQKV}.qzeros"].long()})),
        f"weight {WQKV}.qzeros is of type I64, but must be I32",
    ),
    "no zero points": (
        tensors(lambda found: found.pop(f"{WQKV}.qzeros")),
        "the checkpoint has no weight for model.language_model.layers.0.self_attn.k_proj.qzeros",
    ),
    "a row too few": (
        tensors(
            lambda found: found.update({f"{WQKV}.qweight": found[f"{WQKV}.qweight"][1:].clone()})
        ),
        f"weight {WQKV}.qweight has shape [127, 32], but config.json asks for [128, 32]",
    ),
    "a column too few": (
        tensors(
            lambda found: found.update({f"{WQKV}.scales": found[f"{WQKV}.scales"][:, 1:].clone()})
        ),
        f"weight {WQKV}.scales has shape [1, 255], but config.json asks for [1, 256]",
    ),
    "a layer that is not packed": (
        tensors(lambda found: found.update({f"{WQKV}.weight": torch.ones(256, 128).half()})),
        f"weight {WQKV}.weight of the checkpoint has no place in the model",
    ),
    "a packed output layer": (
        tensors(lambda found: found.update({"language_model.output.qweight": torch.ones(1).int()})),
        "weight language_model.output.qweight of the checkpoint has no place in the model",
    ),
    "other bits": (settings(bits=8), "holds AWQ in 8 bit and gemm layout, but only AWQ in 4 bit"),
    "other layout": (settings(version="gemv"), "AWQ in 4 bit and gemv layout, but only AWQ in"),
    "other method": (settings(quant_method="gptq"), "weights quantized with gptq, but only AWQ"),
    "other groups": (settings(group_size=-1), "with group_size -1 and zero_point True, but must"),
    "groups of text": (settings(group_size="128"), "with group_size '128' and zero_point True"),
    "groups of another size": (
        settings(group_size=64),
        "has shape [1, 16], but config.json asks for [2, 16]",
    ),
    "groups that do not fit": (
        dimensions(intermediate_size=320),
        "mlp.down_proj.weight [128, 320] with heads of 32, which AWQ in groups of 128 does not fit",
    ),
    "heads that do not fit": (
        dimensions(num_attention_heads=32, num_key_value_heads=16),
        "with heads of 4, which AWQ in groups of 128 does not fit",
    ),
    "symmetric": (settings(zero_point=False), "zero_point False, but must have true zero points"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("whole"), "internlm2")


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_weights_are_read(tmp_path: Path, whole: Path, case: str) -> None:
    break_it, sentence = REFUSED[case]
    path = Path(shutil.copytree(whole, tmp_path / "checkpoint"))
    break_it(path)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_awq_is_not_quantized_again(whole: Path) -> None:
    from transformers import BitsAndBytesConfig

    with pytest.raises(CheckpointError, match="is quantized already; launch it without"):
        load_model(whole, quantization_config=BitsAndBytesConfig(load_in_4bit=True))
