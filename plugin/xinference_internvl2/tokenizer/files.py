"""Reads the tokenizer files of a checkpoint directory and checks them.

`tokenizer_config.json` is read for its tokens and flags. The class and the code that it names are
ignored: which files lie beside it decides the kind of tokenizer.

`special_tokens_map.json` only repeats the others and is not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer

from ..checkpoint.json_files import read_object
from ..errors import CheckpointError
from .added_token_files import add_to_backend, merge_added_tokens
from .backend import build_backend
from .bos_token import prepend_bos
from .image_tokens import REQUIRED
from .prefix_space import Prefix
from .special_token_fields import read_additional_tokens, read_named_tokens
from .token_kinds import find_fine_tuned


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """The content of a checkpoint's tokenizer files.

    Attributes:
        backend: encodes a text, but adds no prefix space.
        prefix: where that space has to be added.
        named: `bos_token`, `eos_token`, `pad_token` and `unk_token` → its text.
        additional: the other special tokens.
        fine_tuned: added tokens that the published tokenizers lack.
    """

    backend: Tokenizer
    prefix: Prefix
    named: dict[str, str]
    additional: list[str]
    fine_tuned: frozenset[str]


def read_tokenizer_files(directory: Path) -> TokenizerFiles:
    """Read the tokenizer files of the checkpoint in `directory`, and build its backend.

    Raises:
        CheckpointError: a file is missing, damaged, or lacks a control token.
    """
    path = directory / "tokenizer_config.json"
    config = read_object(path)
    added, named = merge_added_tokens(directory, config), read_named_tokens(config, path)
    backend, prefix = build_backend(directory, config, added)
    _require_controls(backend, added, directory)
    add_to_backend(backend, added, directory)
    if (directory / "tokenizer.model").is_file():
        prepend_bos(backend, config, named.get("bos_token"), path)
    # transformers would give a token that the vocabulary lacks an id without an embedding.
    named = {name: token for name, token in named.items() if backend.token_to_id(token) is not None}
    additional = [
        t for t in read_additional_tokens(config, path) if backend.token_to_id(t) is not None
    ]
    fine_tuned = find_fine_tuned((t.content for t in added.values()), named.values())
    return TokenizerFiles(backend, prefix, named, additional, fine_tuned)


def _require_controls(backend: Tokenizer, added: dict[int, AddedToken], directory: Path) -> None:
    tokens = [*backend.get_added_tokens_decoder().values(), *added.values()]
    known = {token.content for token in tokens}
    missing = [token for token in REQUIRED if token not in known]
    if missing:
        raise CheckpointError(
            f"{directory}: the tokenizer has no {', '.join(missing)}, so it is not the one of an "
            "InternVL2 checkpoint; download its tokenizer files"
        )
