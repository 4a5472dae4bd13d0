"""What vLLM is told on a CPU."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("vllm")

from vllm.utils import cpu_resource_utils

from xinference_internvl2.vllm import cpu

MB = 10**6


@pytest.fixture(autouse=True)
def reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `set_defaults` writes into the environment is gone after a test."""
    monkeypatch.setenv("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")


@pytest.mark.parametrize(
    ("limit", "used", "share"),
    [
        # Half of the container is free, whatever the machine has beside it.
        (80 * MB, 40 * MB, 0.35),
        (80 * MB, 0, 0.7),
        # vLLM refuses a share of nothing, and says that this one is too much.
        (80 * MB, 80 * MB, 0.01),
    ],
)
def test_the_share_is_of_the_memory_of_a_container(
    monkeypatch: pytest.MonkeyPatch, limit: int, used: int, share: float
) -> None:
    """vLLM multiplies it by the memory of the container."""
    monkeypatch.setattr(cpu_resource_utils, "get_cgroup_memory_limit", lambda: (limit, used))
    config: dict[str, Any] = {}
    cpu.set_defaults(config, quantized=True)
    assert config["gpu_memory_utilization"] == share


@pytest.mark.parametrize(
    ("free", "workers", "share"),
    [
        ((32, 16), 2, 0.35),
        ((16, 32), 2, 0.35),
        ((32, 32), 2, 0.7),
        ((32, 16), 1, 0.7),
        ((16, 32), 1, 0.35),
        ((), 1, 0.7),
    ],
)
def test_the_share_is_free_on_the_numa_node_of_every_worker(
    monkeypatch: pytest.MonkeyPatch, free: tuple[int, ...], workers: int, share: float
) -> None:
    """vLLM multiplies it by the memory of the node that a worker runs on."""
    nodes = [cpu_resource_utils.MemoryNodeInfo(32 * MB, room * MB) for room in free]
    monkeypatch.setattr(cpu_resource_utils, "get_visible_memory_node", lambda: [*range(len(free))])
    monkeypatch.setattr(cpu_resource_utils, "get_memory_node_info", nodes.__getitem__)
    config: dict[str, Any] = {"tensor_parallel_size": workers}
    cpu.set_defaults(config, quantized=True)
    assert config["gpu_memory_utilization"] == share


def test_the_launch_has_the_last_word() -> None:
    config: dict[str, Any] = {"gpu_memory_utilization": 0.5, "dtype": "float16"}
    cpu.set_defaults(config, quantized=False)
    assert config == {"gpu_memory_utilization": 0.5, "dtype": "float16"}
