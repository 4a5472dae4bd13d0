"""LoRA weights that were never merged, merged while the files are read one tensor after the other,
which is how vLLM reads them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from tests.tiny import make_checkpoint
from tests.tiny.lora import make_matrices, write_merged, write_unmerged
from tests.tiny.resaved import BUFFERS
from tests.tiny.weights import read_tensors
from xinference_internvl2.checkpoint.merge_training_lora import merge_stream
from xinference_internvl2.errors import CheckpointError

RANKS = {"language_model": 4, "vision_model": 4}
BACKBONES: Any = ("qwen2", "internlm2", "phi3", "llama")


@pytest.fixture(scope="module", params=BACKBONES)
def wrapped(request: pytest.FixtureRequest, tmp_path_factory: Any) -> tuple[Any, Any]:
    """The tensors of a checkpoint with its LoRA weights beside, and those that were merged."""
    folder: Path = tmp_path_factory.mktemp("wrapped")
    base = make_checkpoint(folder / "base", backbone=request.param, dtype="float32")
    matrices = make_matrices(base, rank=4, parts=tuple(RANKS))
    beside = write_unmerged(base, folder / "unmerged", matrices)
    return read_tensors(beside), read_tensors(write_merged(base, folder / "merged", matrices))


@pytest.mark.parametrize("order", range(3))
def test_in_any_order_they_are_what_was_merged_before(wrapped: Any, order: int) -> None:
    tensors, expected = wrapped
    shuffled = list(tensors.items())
    random.Random(order).shuffle(shuffled)
    found = dict(merge_stream(shuffled, RANKS))
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert torch.allclose(tensor, expected[name], atol=1e-6), name


@pytest.mark.parametrize("part", ["base_layer", "lora_A.default", "lora_B.default"])
def test_a_part_that_is_missing_is_noticed_at_the_end(wrapped: Any, part: str) -> None:
    tensors, _ = wrapped
    gone = next(name for name in tensors if name.endswith(f"{part}.weight"))
    left = [(name, tensor) for name, tensor in tensors.items() if name != gone]
    with pytest.raises(CheckpointError, match="are not all there; download the whole checkpoint"):
        list(merge_stream(left, RANKS))


@pytest.mark.parametrize("rank", [0, 3, 5])
def test_another_rank_than_the_configuration_says(wrapped: Any, rank: int) -> None:
    tensors, _ = wrapped
    with pytest.raises(CheckpointError, match=f"but config.json says LoRA of rank {rank}"):
        list(merge_stream(tensors.items(), {**RANKS, "language_model": rank}))


def test_a_weight_that_is_there_twice(wrapped: Any) -> None:
    tensors, expected = wrapped
    again = next(name for name in expected if name.startswith("language_model."))
    for twice in ([*expected.items()] * 2, [*tensors.items(), (again, expected[again])]):
        with pytest.raises(CheckpointError, match="is there twice; keep only one of the two"):
            list(merge_stream(twice, RANKS))


def test_buffers_of_older_tools_are_skipped() -> None:
    tensors = {"mlp1.0.bias": torch.ones(1), **{name: torch.ones(1) for name in BUFFERS}}
    assert [name for name, _ in merge_stream(tensors.items(), {})] == ["mlp1.0.bias"]
