"""Weights that the machine cannot hold are refused before they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import BitsAndBytesConfig

from tests.tiny import make_checkpoint
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.machine import Memory
from xinference_internvl2.transformers.model import from_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("float32"), backbone="qwen2", dtype="float32")


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({}, 1),
        ({"dtype": torch.bfloat16}, 2),
        ({"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}, 4),
    ],
)
def test_what_fits_to_the_byte_is_loaded(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], share: int
) -> None:
    stored = load_file(checkpoint / "model.safetensors").values()
    needed = 4 * sum(weight.numel() for weight in stored) // share
    monkeypatch.setattr(from_checkpoint, "memory", lambda: Memory(needed, needed))
    from_checkpoint.load_model(checkpoint, **options)
    monkeypatch.setattr(from_checkpoint, "memory", lambda: Memory(needed, needed - 1))
    with pytest.raises(CheckpointError, match=r"take 0\.\d GB of memory, but only 0\.\d GB are"):
        from_checkpoint.load_model(checkpoint, **options)
