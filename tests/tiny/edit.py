"""Changes to a checkpoint's configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .tokenizer_files import write_json


def edit_config(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Apply a change to the `config.json` of the checkpoint at `path`."""
    file = path / "config.json"
    config = json.loads(file.read_text())
    change(config)
    write_json(file, config)


def shorten_context(path: Path, length: int) -> None:
    """Set the length beyond which positions are rotated otherwise: LongRoPE, or dynamic NTK."""

    def change(config: dict[str, Any]) -> None:
        llm = config["llm_config"]
        if "original_max_position_embeddings" in llm:
            llm["original_max_position_embeddings"] = length
        else:
            llm["max_position_embeddings"] = length
            llm["rope_scaling"] = {"type": "dynamic", "factor": 2.0}

    edit_config(path, change)


def set_sliding_window(path: Path, window: int) -> None:
    """Let the language model attend to the last `window` positions alone."""
    edit_config(path, lambda config: config["llm_config"].update(sliding_window=window))
