"""One safetensors file, opened; no tensor is read before it is asked for."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Names and shapes of one file; those of the largest published files have 0.1 MB."""
FLOATS = ("BF16", "F16", "F32")
"""The types of weights that are not packed."""


def open_file(file: Path) -> Mapping[str, Any]:
    """The tensors of one safetensors file as lazy slices.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        _check_header(file)
        # The slices keep the file open for as long as they live.
        handle = safe_open(file, framework="pt")
        return {name: handle.get_slice(name) for name in list(handle.keys())}
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing; download it again") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file} is truncated or not a safetensors file ({error}); download it again"
        ) from None


def _check_header(file: Path) -> None:
    """A pipe would be waited for, and a header may claim any length."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise CheckpointError(f"{file} is not a regular file; download it again")
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
    if MAX_HEADER_BYTES < size <= file.stat().st_size:
        raise CheckpointError(
            f"{file} has a header of {size} bytes, more than {MAX_HEADER_BYTES}; download it again"
        )
