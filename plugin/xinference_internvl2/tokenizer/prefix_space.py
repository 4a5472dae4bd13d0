"""The space that SentencePiece adds before a text: where a tokenizer adds it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, cast, get_args

from .damaged_file import file_error

SPACE = "▁"
"""How SentencePiece writes a space."""
Prefix = Literal["none", "first", "every"]
"""Where the space is added: nowhere, before the whole text, or before every run of text
between control tokens."""
SAVED_PREFIX = "sentencepiece_prefix"
"""The field of `tokenizer_config.json` in which `InternVL2Tokenizer` saves it."""


def choose_prefix(config: dict[str, Any], add_dummy_prefix: bool) -> Prefix:
    """Return where the tokenizer of a `tokenizer.model` adds the space.

    Args:
        config: `tokenizer_config.json`.
        add_dummy_prefix: the switch of the model file.
    """
    if config.get("legacy") is False and config.get("add_prefix_space") is not False:
        return "first"
    return "every" if add_dummy_prefix else "none"


def read_saved_prefix(config: dict[str, Any], path: Path) -> Prefix:
    """Return where a tokenizer adds the space that `InternVL2Tokenizer` has saved.

    Args:
        path: of `tokenizer_config.json`, which is `config`.

    Raises:
        CheckpointError: the field has another value.
    """
    prefix = config.get(SAVED_PREFIX, "none")
    if prefix not in get_args(Prefix):
        raise file_error(
            path, f"{SAVED_PREFIX} is not one of {', '.join(get_args(Prefix))}", prefix
        )
    return cast(Prefix, prefix)


def add_prefix(
    parts: list[str], prefix: Prefix, named: Collection[str], fine_tuned: Collection[str]
) -> list[str]:
    """Add the space to (text, added token, text, …, text).

    Args:
        named: the tokens with a role.
        fine_tuned: the tokens that further training added.
    """
    if prefix == "every":
        return [p if i % 2 or not p else SPACE + p for i, p in enumerate(parts)]
    if prefix == "none" or parts == [""]:
        return parts
    if not parts[0] and parts[1] in named:
        return parts
    if any(parts[0].startswith(token) for token in named if token in fine_tuned):
        return parts
    return [SPACE + parts[0], *parts[1:]]
