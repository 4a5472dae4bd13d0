"""Packed linear layers compute what they did before, on CPUs that gain from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import gelu, pad

from tests.support.cpu_instructions import needs_avx, needs_bfloat16
from tests.support.huge_pages import count_huge_bytes, has_huge_pages_left, needs_huge_pages
from tests.tiny import make_checkpoint
from xinference_internvl2.transformers.model import packed_linear
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.huge_pages import HUGE_PAGE
from xinference_internvl2.transformers.model.packed_linear import PackedLinear, pack_layers


def packed(model: nn.Module) -> set[str]:
    return {name for name, layer in model.named_modules() if isinstance(layer, PackedLinear)}


@needs_bfloat16
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (1, 4), (2,), (5,), (2, 40)])
def test_a_packed_layer_is_exact(bias: bool, shape: tuple[int, ...]) -> None:
    layer = nn.Linear(48, 80, bias=bias, dtype=torch.bfloat16)
    rows, count = torch.randn(*shape, 48, dtype=torch.bfloat16), shape[-1]
    with torch.inference_mode():
        # Few rows are computed as four, with the kernel for so many.
        wanted = layer(pad(rows, (0, 0, 0, max(0, 4 - count))))[..., :count, :]
        assert torch.equal(PackedLinear(layer)(rows), wanted)


@needs_bfloat16
def test_a_packed_gelu_is_exact_to_its_type() -> None:
    layer = nn.Linear(48, 80, dtype=torch.bfloat16)
    rows = torch.randn(40, 48, dtype=torch.bfloat16)
    with torch.inference_mode():
        packed = PackedLinear(layer, "gelu")(rows)
        exact = gelu(layer.float()(rows.float()))
    assert torch.allclose(packed.float(), exact, rtol=2**-7, atol=1e-3)


@needs_bfloat16
@pytest.mark.parametrize("backbone", ["qwen2", "phi3"])
def test_all_of_a_bfloat16_model_is_packed(tmp_path: Path, backbone: Any) -> None:
    path = make_checkpoint(tmp_path, backbone=backbone)
    plain, model = load_model(path), load_model(path)
    linear = {name for name, layer in model.named_modules() if type(layer) is nn.Linear}
    pack_layers(model)
    assert packed(model) == linear
    assert {"lm_head"} < linear
    ids = torch.arange(20, 60)[None]
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids).logits, plain(input_ids=ids).logits)


@needs_bfloat16
@needs_huge_pages
def test_a_packed_weight_is_in_huge_pages() -> None:
    packed = PackedLinear(nn.Linear(2048, 4096, dtype=torch.bfloat16))
    address = torch.ops.mkldnn.data_ptr(packed._weight)
    before = count_huge_bytes(address)
    if not has_huge_pages_left(8):
        pytest.skip("Linux has no huge pages left")
    packed.use_huge_pages()
    assert count_huge_bytes(address) >= before + 7 * HUGE_PAGE


@needs_bfloat16
def test_all_that_a_decode_step_reads_is_in_huge_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[int] = set()
    monkeypatch.setattr(packed_linear, "use_huge_pages", lambda address, size: asked.add(address))
    model = load_model(make_checkpoint(tmp_path, backbone="qwen2"))
    pack_layers(model)
    layers = (*model.model.language_model.modules(), model.lm_head)
    weights = [layer._weight for layer in layers if isinstance(layer, PackedLinear)]
    assert asked == {torch.ops.mkldnn.data_ptr(weight) for weight in weights}


@needs_avx
@pytest.mark.parametrize("rows", [1, 3, 4, 9])
def test_a_packed_layer_in_float32(rows: int) -> None:
    layer, given = nn.Linear(48, 80), torch.randn(1, rows, 48)
    with torch.inference_mode():
        for activation, wanted in (("none", layer(given)), ("gelu", gelu(layer(given)))):
            assert torch.allclose(PackedLinear(layer, activation)(given), wanted, atol=1e-5)


@needs_avx
@pytest.mark.parametrize("backbone", ["qwen2", "phi3"])
def test_all_of_a_float32_model_is_packed(tmp_path: Path, backbone: Any) -> None:
    path = make_checkpoint(tmp_path, backbone=backbone, dtype="float32")
    plain, model = load_model(path), load_model(path)
    linear = {name for name, layer in model.named_modules() if type(layer) is nn.Linear}
    pack_layers(model)
    assert packed(model) == linear
    ids, size = torch.arange(20, 60)[None], model.config.vision_config.image_size[0]
    pixels = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        found, wanted = (
            (one(input_ids=ids).logits, one.model.get_image_features(pixels).pooler_output)
            for one in (model, plain)
        )
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_layers_of_other_types_are_left_alone(tmp_path: Path) -> None:
    model = load_model(make_checkpoint(tmp_path, backbone="qwen2", dtype="float16"))
    pack_layers(model)
    assert not packed(model)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_cpu_without_the_instructions_is_left_alone(
    tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    model = load_model(make_checkpoint(tmp_path, backbone="qwen2", dtype=dtype))
    pack_layers(model)
    assert not packed(model)
