"""Chooses the backend of structured outputs (guided decoding), with which vLLM is launched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CheckpointError
from .launch_options import read_object

OPTION = "structured_outputs_config"


def choose_guidance(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `structured_outputs_config` of a launch with llguidance as its backend.

    It bounds its own time and memory, and the Transformers engine has it too.

    Raises:
        CheckpointError: it is no object, or names another backend.
    """
    given = read_object(options, OPTION)
    if given.get("backend", "auto") not in ("auto", "guidance"):
        raise CheckpointError(
            f"{OPTION}: backend {given['backend']!r:.40} is not supported; leave it out, or use "
            "guidance"
        )
    return {**given, "backend": "guidance"}
