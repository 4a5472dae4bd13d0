"""Which files hold the weights of a checkpoint, and their tensors, which are read lazily."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError
from .json_files import read_object

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Size of the names and shapes of one file; the largest published ones have 0.1 MB."""
MAX_FILES = 1024
"""Of one checkpoint; the largest published ones have some thirty."""
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_NO_WEIGHTS = re.compile(
    r"(training_args|optimizer|scheduler|scaler|rng_state(_\d+)?)\.(bin|pt|pth)", re.ASCII
)
"""What training tools leave beside the weights."""
_FILE_NAME = re.compile(r"[\w.-]{1,200}\.safetensors", re.ASCII)
FLOATS = ("BF16", "F16", "F32")
"""The types of weights that are not packed."""


def is_pickled(file: Path) -> bool:
    """Whether a file has the name of pickled weights."""
    return file.suffix in _PICKLED and not _NO_WEIGHTS.fullmatch(file.name)


def list_weight_files(path: Path) -> list[Path]:
    """Return the files that hold the weights of the checkpoint in the folder `path`.

    Raises:
        CheckpointError: there are none, only pickled ones, or the index is damaged.
    """
    index = path / "model.safetensors.index.json"
    if index.exists():
        return _read_index(index)
    if (path / "model.safetensors").exists():
        return [path / "model.safetensors"]
    pickled = sorted(file.name for file in path.iterdir() if is_pickled(file))
    if pickled:
        raise CheckpointError(
            f"{path} has only pickled weights ({pickled[0]}), which could run code when opened; "
            "convert them to safetensors or download the safetensors files"
        )
    raise CheckpointError(f"{path} has no model.safetensors; download the weights")


def _read_index(index: Path) -> list[Path]:
    weight_map = read_object(index).get("weight_map")
    names = list(weight_map.values()) if isinstance(weight_map, dict) else []
    if not names or not all(isinstance(x, str) and _FILE_NAME.fullmatch(x) for x in names):
        raise CheckpointError(
            f"{index}: weight_map does not name files of its own folder (model-….safetensors)"
        )
    files = sorted(set(names))
    if len(files) > MAX_FILES:
        raise CheckpointError(f"{index}: weight_map names {len(files)} files, over {MAX_FILES}")
    return [index.parent / name for name in files]


def open_file(file: Path) -> Mapping[str, Any]:
    """Return the tensors of one safetensors file by name, as lazy slices.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        _check_header(file)
        # The slices keep the file open.
        handle = safe_open(file, framework="pt")
        return {name: handle.get_slice(name) for name in list(handle.keys())}
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing; download it again") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file} is truncated or not a safetensors file ({error}); download it again"
        ) from None
    except RuntimeError as error:  # from torch, where the system cannot map so large a file
        raise CheckpointError(f"{file} cannot be opened: {error}; launch a smaller model") from None


def _check_header(file: Path) -> None:
    """Refuse a file that is not regular, since a pipe would block, and a huge header."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise CheckpointError(f"{file} is not a regular file; download it again")
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
    if MAX_HEADER_BYTES < size <= file.stat().st_size:
        raise CheckpointError(
            f"{file} has a header of {size} bytes, more than {MAX_HEADER_BYTES}; download it again"
        )
