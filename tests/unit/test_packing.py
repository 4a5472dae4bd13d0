"""Packed linear layers compute what the layers compute that they replace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint import load_model
from xinference_internvl2.packing import PackedLinear, pack

needs_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this CPU has no bfloat16"
)


def packed(model: nn.Module) -> set[str]:
    return {name for name, layer in model.named_modules() if isinstance(layer, PackedLinear)}


@needs_bfloat16
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5,), (2, 40)])
def test_a_packed_layer_is_exact(bias: bool, shape: tuple[int, ...]) -> None:
    layer = nn.Linear(48, 80, bias=bias, dtype=torch.bfloat16)
    rows = torch.randn(*shape, 48, dtype=torch.bfloat16)
    with torch.inference_mode():
        assert torch.equal(PackedLinear(layer)(rows), layer(rows))


@needs_bfloat16
@pytest.mark.parametrize("backbone", ["qwen2", "phi3"])
def test_a_packed_model_is_exact(tmp_path: Path, backbone: Any) -> None:
    path = make_checkpoint(tmp_path, backbone=backbone)
    plain, model = load_model(path), load_model(path)
    linear = {name for name, layer in model.named_modules() if type(layer) is nn.Linear}
    pack(model)
    assert packed(model) == {name for name in linear if "language_model" in name} | {"lm_head"}
    ids = torch.arange(20, 60)[None]
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids).logits, plain(input_ids=ids).logits)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_other_types_are_left_alone(tmp_path: Path, dtype: str) -> None:
    model = load_model(make_checkpoint(tmp_path, backbone="qwen2", dtype=dtype))
    pack(model)
    assert not packed(model)
