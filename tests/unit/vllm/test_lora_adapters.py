"""The LoRA adapters of a launch, as Xinference describes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from xinference.types import LoRA

pytest.importorskip("torch")

from tests.tiny import make_checkpoint
from tests.tiny.lora import make_matrices, write_adapter
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.vllm.lora_adapters import (
    find_names,
    keep_last_slot_empty,
    rewrite_in_place,
)


def test_adapters_are_those_that_were_written_for_vllm(tmp_path: Path) -> None:
    base = make_checkpoint(tmp_path / "base", backbone="llama")
    ranks = {"small": 4, "large": 12}
    adapters = []
    for name, rank in ranks.items():
        matrices = make_matrices(base, rank=rank, parts=("language_model",))
        adapters.append(LoRA(name, str(write_adapter(tmp_path / name, matrices))))
    assert rewrite_in_place(read_config(base), adapters, tmp_path / "written") == 16
    assert [Path(adapter.local_path).parent for adapter in adapters] == [tmp_path / "written"] * 2
    assert all((Path(x.local_path) / "adapter_model.safetensors").is_file() for x in adapters)
    assert len({adapter.local_path for adapter in adapters}) == 2


def test_no_request_can_name_the_adapter_of_the_last_slot() -> None:
    adapters = [LoRA("a", "/a"), LoRA("b", "/b")]
    keep_last_slot_empty(adapters)
    assert [adapter.lora_name for adapter in adapters[:2]] == ["a", "b"]
    assert len({adapter.lora_name for adapter in adapters}) == 3
    assert find_names(adapters) == {"a", "b"}
