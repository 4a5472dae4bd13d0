"""How many sequences, and how many bytes of KV cache, an engine may hold at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import RequestError
from ...system_memory import memory

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How many sequences and how many bytes an engine may hold.

    Attributes:
        max_sequences: that share a step.
        kv_cache_bytes: to which the KV caches of sequences that are being generated may grow; by
            default half of the memory that is free once the model is loaded.
        prefix_cache_bytes: of KV caches that are kept for later prompts; by default an eighth.
    """

    max_sequences: int
    kv_cache_bytes: int | None = None
    prefix_cache_bytes: int | None = None

    def check_answers(self, n: int) -> None:
        """Refuse a request for more answers than share a step.

        Raises:
            RequestError: it asks for more.
        """
        if n > self.max_sequences:
            raise RequestError(
                f"n {n} is more than the {self.max_sequences} answers that are "
                "written at once; ask for fewer, or launch with a larger --max_num_seqs"
            )

    def in_bytes(self, device: torch.device) -> tuple[int, int]:
        """Bytes of KV caches in use, and of those in the prefix cache, on the model's device."""
        free = _free_bytes(device)
        in_use, kept = self.kv_cache_bytes, self.prefix_cache_bytes
        return free // 2 if in_use is None else in_use, free // 8 if kept is None else kept


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return memory().free
