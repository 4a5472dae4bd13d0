"""The estimate of memory against what is measured, on checkpoints of real dimensions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from generator.family.memory_from_dimensions import (
    CHANNELS,
    FLOAT,
    TILES_AT_ONCE,
    LanguageModel,
    UnitMemory,
    compute_memory,
)
from generator.family.model import VisionTower
from generator.paths import ROOT
from generator.spec.load import load_one
from tests.tiny import make_checkpoint
from tests.tools.memory_used import measure

pytest.importorskip("bitsandbytes")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")

WITHIN = 0.15
BACKBONES: dict[int, Any] = {1: "qwen2", 2: "internlm2"}


def models(size: int, **fewer: int) -> tuple[VisionTower, LanguageModel]:
    """The two models of a size of the family, which may have fewer layers here."""
    family = load_one(ROOT / "family_specs/internvl2.yaml").family
    spec, serving = next((s, v) for s, v in family.served_specs if s.size == size)
    assert spec.vision_tower is not None
    language = LanguageModel.from_metadata(serving.backbone, {**spec.dimensions, **fewer})
    return family.vision_towers[spec.vision_tower], language


def less(vision: VisionTower, language: LanguageModel, tiles: int) -> int:
    """Bytes that the tower needs less where oneDNN computes activations with the layers before
    them; the estimate is for other machines, too.

    Attention is then its widest place. It holds the pixels; of every position the layer's input,
    its norm, queries, keys, values, and what comes of them (6 H); and of the tile that it is at
    copies of three of them, and the scores of two heads before and after their softmax.
    """
    if not tiles or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return 0
    at_once, positions = min(tiles, TILES_AT_ONCE), vision.patches
    pixels = at_once * CHANNELS * vision.image_size**2
    held = (at_once * 6 + 3) * vision.hidden_size + 4 * positions
    tower = at_once * UnitMemory.from_models(vision, language).tower_per_tile
    return tower - FLOAT * (pixels + positions * held)


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
    expected = compute_memory(*models(size), quantization, tokens, tiles).total
    used = measure(checkpoints[size], quantization, tokens, tiles)
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
    vision, language = models(size, num_hidden_layers=2)
    needed = compute_memory(vision, language, "none", tokens, tiles)
    expected = needed.kv_cache + needed.activations - less(vision, language, tiles)
    answer = measure(path, "none", tokens, tiles).answer
    assert answer == pytest.approx(expected, rel=WITHIN)
