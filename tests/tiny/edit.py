"""Changes to a checkpoint's configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def edit_config(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = path / "config.json"
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))


def shorten(path: Path, length: int) -> None:
    """Let positions be encoded differently beyond this length, in the way that the backbone has."""

    def change(config: dict[str, Any]) -> None:
        llm = config["llm_config"]
        if "original_max_position_embeddings" in llm:
            llm["original_max_position_embeddings"] = length
        else:
            llm["max_position_embeddings"] = length
            llm["rope_scaling"] = {"type": "dynamic", "factor": 2.0}

    edit_config(path, change)


def slide(path: Path, window: int) -> None:
    """Let the language model attend to so many positions alone."""
    edit_config(path, lambda config: config["llm_config"].update(sliding_window=window))
