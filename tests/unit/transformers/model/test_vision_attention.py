"""The vision tower sees on a CPU with bfloat16 what it sees with the attention of transformers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from tests.support.cpu_instructions import needs_bfloat16
from tests.tiny import make_checkpoint
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.speed_up import speed_up
from xinference_internvl2.transformers.model.vision_attention import (
    VISION_ATTENTION,
    attend_tiles,
    use_vision_attention,
)


@needs_bfloat16
@pytest.mark.parametrize("vit", ["300m", "6b"])
def test_a_faster_vision_tower_sees_the_same(tmp_path: Path, vit: Any) -> None:
    path = make_checkpoint(tmp_path, backbone="internlm2", vit=vit)
    exact, plain, model = load_model(path, dtype="float32"), load_model(path), load_model(path)
    speed_up(model)
    assert model.config.vision_config._attn_implementation == VISION_ATTENTION
    size = model.config.vision_config.image_size[0]
    pixels = torch.randn(2, 3, size, size).bfloat16()
    with torch.inference_mode():
        seen, before, right = (
            found.model.get_image_features(pixels.to(found.dtype)).pooler_output.float()
            for found in (model, plain, exact)
        )
    assert (seen - right).abs().mean() <= 1.2 * (before - right).abs().mean()


@pytest.mark.parametrize(
    ("dtype", "has_bfloat16", "is_used"),
    [
        ("bfloat16", True, True),
        ("bfloat16", False, False),
        ("float16", True, False),
        ("float32", True, False),
    ],
)
def test_only_where_the_cpu_has_instructions_for_the_type(
    tmp_path: Path, dtype: str, has_bfloat16: bool, is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_bfloat16)
    model = load_model(make_checkpoint(tmp_path, backbone="qwen2", dtype=dtype))
    use_vision_attention(model)
    used = model.config.vision_config._attn_implementation == VISION_ATTENTION
    assert used == is_used


@pytest.mark.parametrize("heads", [4, 5])
def test_a_tile_is_looked_at_as_by_transformers(heads: int) -> None:
    query, key, value = (torch.randn(3, 17, heads, 64).transpose(1, 2) for _ in range(3))
    module: Any = SimpleNamespace(is_causal=False)
    ours, _ = attend_tiles(module, query, key, value, None, scaling=0.2)
    theirs, _ = sdpa_attention_forward(module, query, key, value, None, scaling=0.2)
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=1e-5)
