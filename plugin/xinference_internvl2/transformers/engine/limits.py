"""What an engine may hold at once, and how much memory that leaves for the rest of the machine."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """`max_sequences` are decoded at once. The KV caches of sequences that are being generated may
    grow to `kv_cache_bytes`, by default half of the memory that is free once the model is loaded;
    those kept in the prefix cache to `prefix_cache_bytes`, by default an eighth of it."""

    max_sequences: int
    kv_cache_bytes: int | None = None
    prefix_cache_bytes: int | None = None

    def in_bytes(self, device: torch.device) -> tuple[int, int]:
        """Bytes of KV caches in use, and of those in the prefix cache, on the model's device."""
        free = _free_bytes(device)
        in_use, kept = self.kv_cache_bytes, self.prefix_cache_bytes
        return free // 2 if in_use is None else in_use, free // 8 if kept is None else kept


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return int(psutil.virtual_memory().available)
