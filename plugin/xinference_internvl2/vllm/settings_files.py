"""Checks the JSON files of a checkpoint that vLLM opens by itself."""

from __future__ import annotations

from pathlib import Path

from ..checkpoint.json_files import read_object
from ..errors import CheckpointError

OPENED = (
    *("generation_config.json", "hf_quant_config.json", "processor_config.json"),
    *("preprocessor_config.json", "video_preprocessor_config.json"),
)


def check_settings_files(folder: Path) -> None:
    """Check the JSON files in `folder`: vLLM would block or fail on damaged ones.

    Raises:
        CheckpointError: a file is not regular, or no JSON object within the bounds.
    """
    for file in sorted(folder.glob("*.json")):
        if not file.is_file():
            raise CheckpointError(f"{file} is not a regular file; download it again")
        if file.name in OPENED:
            read_object(file)
