"""What an engine may hold at once, by the options of its launch and the memory of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ...errors import CheckpointError, RequestError
from ...system_memory import memory


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

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> EngineLimits:
        """The limits that a launch asks for, whose options give memory in MB.

        Raises:
            CheckpointError: one of them is no number, or too small.
        """
        sequences = _number(options, "max_num_seqs", 1)
        caches = [_number(options, f"{name}_cache_memory", 0) for name in ("kv", "prefix")]
        in_use, kept = (None if megabytes is None else megabytes << 20 for megabytes in caches)
        return cls(16 if sequences is None else sequences, in_use, kept)

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


def _number(options: Mapping[str, Any], name: str, least: int) -> int | None:
    number = options.get(name)
    if number is None:
        return None
    if type(number) is not int or number < least:
        raise CheckpointError(
            f"{name} {number!r:.40} is too small or no whole number; use {least} or more"
        )
    return number


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return memory().free
