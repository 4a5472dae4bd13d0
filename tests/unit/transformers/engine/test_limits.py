"""The options of a launch, and what follows from the machine without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.engine import limits
from xinference_internvl2.transformers.engine.limits import EngineLimits

CPU = torch.device("cpu")
OPTIONS = {"max_num_seqs": 1, "kv_cache_memory": 0, "prefix_cache_memory": 3}


def test_options_are_in_megabytes() -> None:
    found = EngineLimits.from_options(OPTIONS)
    assert found == EngineLimits(1, 0, 3 << 20)
    assert found.in_bytes(CPU) == (0, 3 << 20)


@pytest.mark.parametrize("value", ["8", 1.5, True, -1])
@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=f"^{name} .* or more$"):
        EngineLimits.from_options({**OPTIONS, name: value})


def test_a_step_has_at_least_one_sequence() -> None:
    with pytest.raises(CheckpointError, match=r"max_num_seqs 0 is .*; use 1 or more"):
        EngineLimits.from_options({"max_num_seqs": 0})


@pytest.mark.parametrize(("most", "free"), [("max\n", 8000), ("5000\n", 4000), ("900\n", 0)])
def test_a_container_may_have_less_than_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str, free: int
) -> None:
    (tmp_path / "memory.max").write_text(most)
    (tmp_path / "memory.current").write_text("1000\n")
    monkeypatch.setattr(limits, "_CONTAINER", tmp_path)
    memory = psutil.virtual_memory()._replace(available=8000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert EngineLimits(1).in_bytes(CPU) == (free // 2, free // 8)
