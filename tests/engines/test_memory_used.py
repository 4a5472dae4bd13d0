"""The estimate of memory against what is measured, on checkpoints of real dimensions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from generator import ROOT
from generator.family.memory import LanguageModel, Memory, compute_memory
from generator.spec.load import load_one
from tests.tiny import make_checkpoint
from tests.tools.memory_used import measured

pytest.importorskip("bitsandbytes")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")

WITHIN = 0.15
FUSED = 0.25
"""How much less an answer may take where oneDNN computes the activation of the vision tower's
feed-forward layers, so that there is no value of it before: the estimate is for all machines."""
BACKBONES: dict[int, Any] = {1: "qwen2", 2: "internlm2"}


def estimate(size: int, quantization: str, tokens: int, tiles: int, **fewer: int) -> Memory:
    """The estimate of a size of the family, which may have fewer layers here."""
    family = load_one(ROOT / "family_specs/internvl2.yaml").family
    spec, serving = next((s, v) for s, v in family.served_specs if s.size == size)
    assert spec.vision_tower is not None
    vision = family.vision_towers[spec.vision_tower]
    language = LanguageModel.from_metadata(serving.backbone, {**spec.dimensions, **fewer})
    return compute_memory(vision, language, quantization, tokens, tiles)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Random ones with the dimensions of 1B and 2B."""
    return {
        size: make_checkpoint(
            tmp_path_factory.mktemp(f"{size}b"), backbone=backbone, dims=f"{size}b"
        )
        for size, backbone in BACKBONES.items()
    }


@pytest.mark.parametrize(("size", "quantization"), [(1, "8-bit"), (2, "none")])
def test_a_real_size_takes_what_is_estimated(
    checkpoints: dict[int, Path], size: int, quantization: str
) -> None:
    tokens, tiles = 300, 1
    expected = estimate(size, quantization, tokens, tiles).total
    used = measured(checkpoints[size], quantization, tokens, tiles)
    assert used.total == pytest.approx(expected, rel=WITHIN)


@pytest.mark.parametrize(("size", "tokens", "tiles"), [(1, 1100, 4), (2, 4096, 0)])
def test_an_answer_takes_what_is_estimated(
    tmp_path: Path, size: int, tokens: int, tiles: int
) -> None:
    """To many tiles, and to a long text: there the widths matter and the number of layers does
    not, since the widest place of a prompt is passed layer after layer."""
    path = make_checkpoint(
        tmp_path, backbone=BACKBONES[size], dims=f"{size}b", layers=2, vit_layers=2
    )
    needed = estimate(size, "none", tokens, tiles, num_hidden_layers=2)
    expected = needed.kv_cache + needed.activations
    answer = measured(path, "none", tokens, tiles).answer
    fused = tiles and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert 1 - (FUSED if fused else WITHIN) < answer / expected < 1 + WITHIN
