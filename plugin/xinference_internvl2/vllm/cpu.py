"""What vLLM is told on a CPU (number type, memory, cores), and on which one it has no AWQ."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from ..checkpoint import enough_memory
from ..checkpoint.weight_files import open_file
from ..families.engine_matrix import AWQ_ON_VLLM
from ..families.memory_estimate import VLLM_SHARE

SMALLEST_FLOAT = 2
"""Bytes of a weight in bfloat16 or float16."""


def set_defaults(config: dict[str, Any], quantized: bool) -> None:
    """Set options of vLLM for a launch on a CPU, unless the launch sets them."""
    if not quantized and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        config.setdefault("dtype", "float32")
    workers = config.get("tensor_parallel_size") or 1
    config.setdefault("gpu_memory_utilization", _choose_share(workers))
    # vLLM keeps a core for its scheduler, which is half of a machine with two.
    os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")


def _choose_share(workers: int) -> float:
    """Return the share that vLLM may take of its whole memory, of which other processes use some.

    vLLM multiplies it by what it finds itself: the memory of the NUMA node of each worker, the
    first worker's being the first, or of the container.
    """
    from vllm.utils.cpu_resource_utils import get_memory_node_info, get_visible_memory_node

    nodes = [get_memory_node_info(node) for node in get_visible_memory_node()[:workers]]
    # Without any node it is vLLM that ends the launch.
    free: float = min((node.available_memory / node.total_memory for node in nodes), default=1)
    # vLLM takes no 0, and says itself that this is too much.
    return max(round(VLLM_SHARE["cpu"] * free, 2), 0.01)


def check_memory(path: Path, files: Iterable[Path]) -> None:
    """Check that the weights in `files` fit into free memory: vLLM would be killed reading them.

    Args:
        path: the folder of the checkpoint, for the message.

    Raises:
        CheckpointError: a file is damaged, or the weights take more memory than is free.
    """
    tensors = {name: tensor for file in files for name, tensor in open_file(file).items()}
    enough_memory.check_memory(path, tensors, SMALLEST_FLOAT)


def explain_missing_awq_kernel() -> str | None:
    """Return why vLLM cannot compute AWQ on this machine, or None if it can.

    Where it cannot, it would start all the same, and end at the first request.
    """
    from vllm.platforms import CpuArchEnum, current_platform

    on_x86 = (
        current_platform.is_cpu() and current_platform.get_cpu_architecture() == CpuArchEnum.X86
    )
    # vLLM chooses its library of kernels by AVX-512, and the one without lacks the kernel.
    if not on_x86 or torch.cpu._is_avx512_supported():
        return None
    return (
        f"{AWQ_ON_VLLM}, which this machine has not; use the Transformers engine, or an "
        "unquantized checkpoint"
    )
