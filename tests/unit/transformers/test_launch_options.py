"""The options of a launch that the Transformers engine reads, at their bounds and beyond."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.checkpoint.rope import MAX_POSITIONS
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits
from xinference_internvl2.transformers.launch_options import (
    OPTIONS,
    read_context_length,
    read_engine_limits,
)

POSITIONS = 32768
LIMITS = {"max_num_seqs": 1, "kv_cache_memory": 0, "prefix_cache_memory": 3}


def test_memory_is_in_megabytes() -> None:
    assert read_engine_limits(LIMITS) == EngineLimits(1, 0, 3 << 20)
    assert read_engine_limits({}) == EngineLimits(16, None, None)


@pytest.mark.parametrize("value", ["8", 1.5, True, -1])
@pytest.mark.parametrize("name", LIMITS)
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=f"^{name} .* or more$"):
        read_engine_limits({**LIMITS, name: value})


def test_a_step_has_at_least_one_sequence() -> None:
    with pytest.raises(CheckpointError, match=r"max_num_seqs 0 is .*; use 1 or more"):
        read_engine_limits({"max_num_seqs": 0})


def test_the_launch_takes_every_option() -> None:
    OPTIONS.check({**LIMITS, "context_length": 8})


def test_an_option_of_vllm_is_refused_with_the_one_that_is_meant() -> None:
    with pytest.raises(CheckpointError, match=r"gpu_memory_utilization; use --kv_cache_memory$"):
        OPTIONS.check({"gpu_memory_utilization": 0.5})


def make(path: Path, backbone: Any) -> CheckpointConfig:
    """A checkpoint with `POSITIONS`; those of InternLM2 stretch."""
    return read_config(make_checkpoint(path, backbone=backbone))


def test_a_launch_without_a_context_length_has_the_trained_one(tmp_path: Path) -> None:
    assert read_context_length({}, make(tmp_path, "qwen2"), 7) == 7


@pytest.mark.parametrize("value", [0, -5, "4096", 64.0, True])
def test_a_context_length_that_is_no_length_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"^context_length .* is too small or no whole"):
        read_context_length({"context_length": value}, make(tmp_path, "qwen2"), 7)


@pytest.mark.parametrize(("backbone", "most"), [("qwen2", POSITIONS), ("internlm2", MAX_POSITIONS)])
def test_a_context_is_as_long_as_there_are_positions(
    tmp_path: Path, backbone: str, most: int
) -> None:
    checkpoint = make(tmp_path, backbone)
    for length in (1, most):
        assert read_context_length({"context_length": length}, checkpoint, 7) == length
    with pytest.raises(CheckpointError, match=f"^context_length {most + 1} .*; use {most} or less"):
        read_context_length({"context_length": most + 1}, checkpoint, 7)
