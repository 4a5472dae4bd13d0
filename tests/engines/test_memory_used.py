"""The estimate of memory against what is measured, on checkpoints of real dimensions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from generator.families import ROOT, load_one
from generator.memory import LanguageModel, Memory, memory
from tests.memory_used import measured
from tests.tiny import make_checkpoint

pytest.importorskip("bitsandbytes")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")

WITHIN = 0.15
BACKBONES: dict[int, Any] = {1: "qwen2", 2: "internlm2"}


def estimate(size: int, quantization: str, tokens: int, tiles: int, **fewer: int) -> Memory:
    """The estimate of a size of the family, which may have fewer layers here."""
    family = load_one(ROOT / "family_specs/internvl2.yaml").family
    spec, serving = next((s, v) for s, v in family.served_specs if s.size == size)
    assert spec.vision_tower is not None
    vision = family.vision_towers[spec.vision_tower]
    language = LanguageModel.of(serving.backbone, {**spec.dimensions, **fewer})
    return memory(vision, language, quantization, tokens, tiles)


@pytest.fixture(scope="module", params=[1, 2])
def checkpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Path]:
    """A random one with the dimensions of 1B, then of 2B."""
    size = request.param
    path = tmp_path_factory.mktemp(f"{size}b")
    return size, make_checkpoint(path, backbone=BACKBONES[size], dims=f"{size}b")


@pytest.mark.parametrize("quantization", ["none", "8-bit"])
def test_a_real_size_takes_what_is_estimated(
    checkpoint: tuple[int, Path], quantization: str
) -> None:
    size, path = checkpoint
    tokens, tiles = 300, 1
    expected = estimate(size, quantization, tokens, tiles).total
    assert measured(path, quantization, tokens, tiles).total == pytest.approx(expected, rel=WITHIN)


@pytest.mark.parametrize(("tokens", "tiles"), [(1100, 4), (4096, 0)])
@pytest.mark.parametrize("size", [1, 2])
def test_an_answer_takes_what_is_estimated(
    tmp_path: Path, size: int, tokens: int, tiles: int
) -> None:
    """Of a long text and of many tiles, where the widths matter and the number of layers does
    not: the widest place of a prompt is passed layer after layer."""
    path = make_checkpoint(
        tmp_path, backbone=BACKBONES[size], dims=f"{size}b", layers=2, vit_layers=2
    )
    needed = estimate(size, "none", tokens, tiles, num_hidden_layers=2)
    expected = needed.kv_cache + needed.activations
    assert measured(path, "none", tokens, tiles).answer == pytest.approx(expected, rel=WITHIN)
