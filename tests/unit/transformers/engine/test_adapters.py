"""LoRA adapters and the model itself, asked at the same time: everybody has the right answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.generate import generate_tokens
from tests.tiny import make_checkpoint
from tests.tiny.lora import make_matrices, write_adapter, write_merged
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.lora_layers import load_adapters

from .conftest import Steps, ids, run, started, tokens_of

TOKENS = 12
ADAPTERS = (None, "every.part", "language")
NUMBERS = (0, 3, 9)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("adapters") / "base"
    return make_checkpoint(folder, backbone="internlm2", dtype="float32")


@pytest.fixture(scope="module")
def matrices(checkpoint: Path) -> dict[str | None, Any]:
    return {
        "every.part": make_matrices(checkpoint, rank=4),
        "language": make_matrices(checkpoint, rank=6, parts=("language_model",), seed=1),
    }


def adapted(checkpoint: Path, matrices: dict[str | None, Any], folder: Path) -> Any:
    model = load_model(checkpoint)
    names = {name: write_adapter(folder / name, m) for name, m in matrices.items() if name}
    load_adapters(model, names)
    return model


def tile_of(model: Any) -> Any:
    side = model.config.vision_config.image_size[0]
    return np.random.default_rng(0).standard_normal((3, side, side), dtype=np.float32)


def prompt(model: Any, number: int, seeing: bool) -> dict[str, Any]:
    image = [model.config.image_token_id] * model.config.image_seq_length
    return {"image": image, "tiles": [tile_of(model)]} if seeing else {}


@pytest.mark.parametrize("seeing", [False, True])
def test_adapters_share_the_engine_and_nothing_else(
    checkpoint: Path, matrices: Any, tmp_path: Path, seeing: bool, steps: Steps
) -> None:
    """Each prompt is asked by all at once, and once more, when it has been read for all of them."""
    model = adapted(checkpoint, matrices, tmp_path)
    expected: dict[tuple[str | None, int], list[int]] = {}
    for name in ADAPTERS:
        path = (
            write_merged(checkpoint, tmp_path / "merged" / name, matrices[name])
            if name
            else checkpoint
        )
        alone = load_model(path)
        for number in NUMBERS:
            asked = prompt(model, number, seeing)
            text = torch.tensor([[*ids(number), *asked.get("image", ())]])
            pixels = torch.from_numpy(asked["tiles"][0])[None] if seeing else None
            tokens = generate_tokens(alone, text, pixels, SamplingParams(TOKENS), [])
            expected[name, number] = [token.id for token in tokens]
    assert len({tuple(tokens) for tokens in expected.values()}) == len(expected)

    async def ask(engine: Any) -> list[list[int]]:
        asked = (
            tokens_of(engine, number, TOKENS, adapter=name, **prompt(model, number, seeing))
            for name, number in expected
        )
        return await asyncio.gather(*asked)

    with started(model) as engine:
        for _ in range(2):
            assert run(ask(engine)) == list(expected.values())
            assert max(steps.sizes()) > 1
            steps.log.clear()
