"""LoRA on vLLM, against Transformers: adapters by request, and unmerged checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import make_checkpoint
from tests.tiny.lora import make_matrices, write_adapter, write_merged, write_unmerged
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.vllm.lora_adapters import write_adapters

from .conftest import needs_vllm, offline

pytestmark = [pytest.mark.e2e, needs_vllm]

IDS = [5, 6, 7, 8, 9, 10]
REQUEST: dict[str, Any] = {"ids": IDS, "pictures": [], "first": True, "most": 1}
LANGUAGE = ("language_model",)


def first(checkpoint: Path) -> torch.Tensor:
    """The logprobs of the whole vocabulary at the first token."""
    with torch.inference_mode():
        logits = load_model(checkpoint)(input_ids=torch.tensor([IDS])).logits
    return logits[0, -1].float().log_softmax(-1)


def test_unmerged_weights_as_merged_ones(tmp_path: Path) -> None:
    base = make_checkpoint(tmp_path / "base", backbone="llama", dtype="float32")
    matrices = make_matrices(base, rank=4, parts=LANGUAGE)
    wrapped = write_unmerged(base, tmp_path / "unmerged", matrices)
    ((answer,),) = offline(
        [{"checkpoint": str(wrapped), "dtype": "float32", "requests": [REQUEST]}]
    )
    wanted = first(write_merged(base, tmp_path / "merged", matrices))
    assert (torch.tensor(answer["first"]) - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("backbone", ["qwen2", "internlm2", "phi3"])
def test_adapters_as_merged_ones(tmp_path: Path, backbone: Any) -> None:
    """On each of the layouts of layers that there are."""
    base = make_checkpoint(tmp_path / "base", backbone=backbone, dtype="float32")
    ranks = {"small": 4, "large": 12}
    matrices = {
        name: make_matrices(base, rank=rank, parts=LANGUAGE, seed=rank)
        for name, rank in ranks.items()
    }
    given = {n: str(write_adapter(tmp_path / f"given-{n}", m)) for n, m in matrices.items()}
    folders, rank = write_adapters(read_config(base), given, tmp_path / "written")
    assert rank == 16
    expected = [first(base)]
    expected += [
        first(write_merged(base, tmp_path / f"merged-{n}", m)) for n, m in matrices.items()
    ]
    assert min(float((other - expected[0]).abs().max()) for other in expected[1:]) > 0.1
    adapted = [REQUEST, *({**REQUEST, "adapter": str(f)} for f in folders.values()), REQUEST]
    (answers,) = offline(
        [{"checkpoint": str(base), "dtype": "float32", "lora_rank": rank, "requests": adapted}]
    )
    for answer, wanted in zip(answers, [*expected, expected[0]], strict=True):
        assert (torch.tensor(answer["first"]) - wanted).abs().max() < 1e-4
