"""Builds the `tokenizers.Tokenizer` of a checkpoint from the files that lie in its directory.

Which files there are decides the kind of tokenizer. A class or code that `tokenizer_config.json`
names is ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from ..errors import CheckpointError
from .prefix_space import Prefix, choose_prefix, read_saved_prefix
from .sentencepiece import from_sentencepiece, read_sentencepiece
from .tokenizer_json import from_tokenizer_json, read_tokenizer_json
from .vocab_and_merges import from_vocab_and_merges, has_vocab_and_merges


def build_backend(
    directory: Path, config: dict[str, Any], added: dict[int, AddedToken]
) -> tuple[Tokenizer, Prefix]:
    """Return the backend without its added tokens, and where the prefix space has to be added.

    Args:
        config: `tokenizer_config.json`.
        added: the added tokens by id, to which the files may refer.

    Raises:
        CheckpointError: there are no such files, or they are damaged.
    """
    sentencepiece, fast = directory / "tokenizer.model", directory / "tokenizer.json"
    if sentencepiece.is_file():
        model = read_sentencepiece(sentencepiece)
        prefix = choose_prefix(config, model.add_dummy_prefix)
        backend = from_sentencepiece(model, added, has_prefix=prefix != "none")
        return backend, prefix
    if has_vocab_and_merges(directory):
        return from_vocab_and_merges(directory), "none"
    if fast.is_file():
        backend = from_tokenizer_json(read_tokenizer_json(fast), added, fast)
        return backend, read_saved_prefix(config, directory / "tokenizer_config.json")
    raise CheckpointError(
        f"{directory} has none of tokenizer.model, vocab.json with merges.txt, and "
        "tokenizer.json; download the tokenizer files"
    )
