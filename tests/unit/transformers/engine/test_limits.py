"""The options of a launch, and what follows from the machine without them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from xinference_internvl2.errors import CheckpointError, RequestError
from xinference_internvl2.system_memory import MachineMemory
from xinference_internvl2.transformers.engine import limits
from xinference_internvl2.transformers.engine.limits import EngineLimits
from xinference_internvl2.transformers.launch_options import OPTIONS as TRANSFORMERS

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


def test_a_request_has_at_most_as_many_answers_as_share_a_step() -> None:
    EngineLimits(3).check_answers(3)
    with pytest.raises(RequestError, match=r"^n 4 is more than the 3 answers .* --max_num_seqs$"):
        EngineLimits(3).check_answers(4)


def test_without_options_they_are_parts_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory", lambda: MachineMemory(9000, 8000))
    assert EngineLimits(1).in_bytes(CPU) == (4000, 1000)


def test_the_launch_takes_every_option() -> None:
    TRANSFORMERS.check(OPTIONS)
