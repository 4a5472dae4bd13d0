"""Weights that the machine cannot hold are refused before they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import BitsAndBytesConfig

from tests.tiny import make_checkpoint
from tests.tiny.sparse import enlarge
from xinference_internvl2.checkpoint import enough_memory
from xinference_internvl2.checkpoint.weight_files import list_weight_files
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.system_memory import MachineMemory
from xinference_internvl2.transformers.model import from_checkpoint
from xinference_internvl2.vllm import cpu


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("float32"), backbone="qwen2", dtype="float32")


@pytest.mark.parametrize(
    ("options", "each", "quantized"),
    [
        ({}, 4, 4),
        ({"dtype": torch.bfloat16}, 2, 2),
        ({"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}, 4, 1),
    ],
)
def test_what_fits_to_the_byte_is_loaded(
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    each: int,
    quantized: int,
) -> None:
    stored = load_file(checkpoint / "model.safetensors")
    layers = [
        weight.numel()
        for name, weight in stored.items()
        if name.startswith("language_model.model.layers.") and weight.dim() == 2
    ]
    rest = sum(weight.numel() for weight in stored.values()) - sum(layers)
    needed = each * rest + quantized * sum(layers)
    monkeypatch.setattr(enough_memory, "memory", lambda: MachineMemory(needed, needed))
    from_checkpoint.load_model(checkpoint, **options)
    monkeypatch.setattr(enough_memory, "memory", lambda: MachineMemory(needed, needed - 1))
    with pytest.raises(CheckpointError, match=r"take 0\.\d GB of memory, but only 0\.\d GB are"):
        from_checkpoint.load_model(checkpoint, **options)


def test_a_checkpoint_that_no_machine_holds_is_refused_unread(tmp_path: Path) -> None:
    """Its files have a terabyte and a half, of which only the headers are written."""
    folder = enlarge(make_checkpoint(tmp_path / "large", backbone="qwen2"), 512, 1 << 22)
    sentence = "take 1649.3 GB of memory, but only"
    with pytest.raises(CheckpointError, match=sentence):
        from_checkpoint.load_model(folder)
    with pytest.raises(CheckpointError, match=sentence):
        cpu.check_memory(folder, list_weight_files(folder))


class Stored:
    """Stands for a tensor of a file that nobody reads."""

    def __init__(self, kind: str, *shape: int) -> None:
        self.get_dtype, self.get_shape = lambda: kind, lambda: list(shape)


LAYER = "language_model.model.layers.0.attention.wqkv."


@pytest.mark.parametrize(
    ("tensors", "bits", "needed"),
    [
        ({LAYER + "weight": Stored("BF16", 100, 10)}, None, 2000),
        ({LAYER + "weight": Stored("BF16", 100, 10)}, 8, 1000),
        ({LAYER + "weight": Stored("BF16", 100, 10)}, 4, 500),
        ({LAYER + "bias": Stored("BF16", 100)}, 4, 200),
        ({"language_model.output.weight": Stored("BF16", 100, 10)}, 4, 2000),
        ({"vision_model.encoder.layers.0.attn.qkv.weight": Stored("BF16", 9, 9)}, 4, 162),
        ({LAYER + "qweight": Stored("I32", 10, 10), LAYER + "scales": Stored("F16", 9)}, None, 418),
    ],
)
def test_what_weights_take(
    monkeypatch: pytest.MonkeyPatch, tensors: dict[str, Stored], bits: int | None, needed: int
) -> None:
    monkeypatch.setattr(enough_memory, "memory", lambda: MachineMemory(needed, needed))
    enough_memory.check_memory(Path("x"), tensors, 2, bits)
    monkeypatch.setattr(enough_memory, "memory", lambda: MachineMemory(needed, needed - 1))
    with pytest.raises(CheckpointError, match="the weights of x take"):
        enough_memory.check_memory(Path("x"), tensors, 2, bits)
