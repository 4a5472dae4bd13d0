"""Finds the id of one token in the files of a checkpoint, without building its tokenizer."""

from __future__ import annotations

from pathlib import Path

from ..checkpoint.json_files import read_object
from ..errors import CheckpointError
from .added_token_files import read_added_tokens
from .sentencepiece import USER_DEFINED, read_sentencepiece


def find_token_id(directory: Path, token: str, vocab_size: int) -> int:
    """Return the id of the control token `token`, without building the tokenizer.

    Raises:
        CheckpointError: a file is damaged, or none names an id below `vocab_size`.
    """
    path = directory / "tokenizer_config.json"
    config = read_object(path) if path.is_file() else {}
    ids: list[int] = []
    for tokens in read_added_tokens(directory, config):
        ids += [index for index, found in tokens.items() if found.content == token]
        if ids:
            break
    if not ids and (directory / "tokenizer.model").is_file():
        model = read_sentencepiece(directory / "tokenizer.model")
        ids = [index for index in model.ids_of(USER_DEFINED) if model.texts[index] == token]
    if len(ids) == 1 and ids[0] < vocab_size:
        return ids[0]
    raise CheckpointError(
        f"{directory}: the tokenizer's files name no id for {token} within the vocabulary; "
        "download tokenizer_config.json and added_tokens.json again"
    )
