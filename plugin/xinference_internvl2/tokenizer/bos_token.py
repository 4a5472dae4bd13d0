"""Puts the BOS token before every text, where the tokenizer of a `tokenizer.model` does.

A `tokenizer.json` has a template of its own for it; Qwen2's tokenizer adds none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from ..errors import CheckpointError


def prepend_bos(backend: Tokenizer, config: dict[str, Any], bos: str | None, path: Path) -> None:
    """Make every encoded text start with `bos`, unless `add_bos_token` says otherwise.

    Args:
        config: `tokenizer_config.json`, which lies at `path`.

    Raises:
        CheckpointError: the vocabulary lacks the token.
    """
    if not config.get("add_bos_token", True):
        return
    index = None if bos is None else backend.token_to_id(bos)
    if index is None:
        raise CheckpointError(
            f"{path}: bos_token {bos!r} is not in the vocabulary; "
            "download the tokenizer files again"
        )
    start = {"id": "start", "ids": [index], "tokens": [bos]}
    backend.post_processor = TemplateProcessing(
        single="start $A", pair="start $A start $B", special_tokens=[start]
    )
