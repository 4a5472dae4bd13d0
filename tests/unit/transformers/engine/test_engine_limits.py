"""What an engine may hold, by its launch, and what follows from the machine without that."""

from __future__ import annotations

import pytest
import torch

from xinference_internvl2.errors import RequestError
from xinference_internvl2.system_memory import MachineMemory
from xinference_internvl2.transformers.engine import engine_limits
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits

CPU = torch.device("cpu")


def test_what_a_launch_sets_is_what_there_is() -> None:
    assert EngineLimits(1, 0, 3 << 20).in_bytes(CPU) == (0, 3 << 20)


def test_a_request_has_at_most_as_many_answers_as_share_a_step() -> None:
    EngineLimits(3).check_answers(3)
    with pytest.raises(RequestError, match=r"^n 4 is more than the 3 answers .* --max_num_seqs$"):
        EngineLimits(3).check_answers(4)


def test_without_options_they_are_parts_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_limits, "memory", lambda: MachineMemory(9000, 8000))
    assert EngineLimits(1).in_bytes(CPU) == (4000, 1000)
