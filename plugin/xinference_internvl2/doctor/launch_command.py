"""How to launch a checkpoint that fits: the command line, and what `xinference register` takes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from .fits import Fit


def build_launch_command(fit: Fit, folder: Path | None = None) -> str:
    """Return the line that launches it, from a folder or, without one, from its repository."""
    words = ["xinference", "launch", "--model-engine", fit.engine, "--model-name", fit.family]
    words += ["--size-in-billions", fit.size, "--model-format", fit.model_format]
    words += ["--quantization", fit.quantization, "--context_length", str(fit.context)]
    words += ["--n-gpu", str(fit.devices)] if fit.devices > 1 else []
    words += ["--model-path", str(folder)] if folder else []
    return shlex.join(words)


def build_registration(folder: Path, fit: Fit) -> dict[str, Any]:
    """Return what `xinference register` takes, with the name of the folder."""
    spec = {
        "model_format": fit.model_format,
        "model_size_in_billions": fit.size,
        "quantization": fit.quantization,
    }
    return {
        "version": 2,
        "model_name": "".join(c if c.isalnum() or c in "._-" else "-" for c in folder.name),
        "model_family": fit.family,
        "context_length": fit.context,
        "model_lang": ["en", "zh"],
        "model_ability": ["chat", "vision"],
        "model_specs": [{**spec, "model_id": None, "model_uri": folder.as_uri()}],
    }
