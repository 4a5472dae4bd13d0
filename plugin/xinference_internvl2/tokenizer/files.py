"""Reads the tokenizer files of a checkpoint directory and checks them.

`tokenizer_config.json` is read for its tokens and flags. The class and the code that it names are
ignored: which files lie beside it decides the kind of tokenizer.

`special_tokens_map.json` only repeats the others and is not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from ..checkpoint.json_files import read_object
from ..errors import CheckpointError
from . import backend as backends
from .added_token_files import (
    check_count,
    file_error,
    has_vocab_and_merges,
    is_valid_text,
    merge_added_tokens,
    read_added_tokens,
    read_tokenizer_json,
)
from .image_tokens import REQUIRED
from .prefix_space import Prefix, choose_prefix, read_saved_prefix
from .sentencepiece import USER_DEFINED, read_sentencepiece
from .token_kinds import find_fine_tuned
from .tokenizer_json import from_tokenizer_json

_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


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
    added, named = merge_added_tokens(directory, config), _read_named_tokens(config, path)
    backend, prefix = _build_backend(directory, config, added)
    _require_controls(backend, added, directory)
    backends.add_tokens(backend, added, directory)
    if (directory / "tokenizer.model").is_file() and config.get("add_bos_token", True):
        _prepend_bos(backend, named.get("bos_token"), path)
    # transformers would give a token that the vocabulary lacks an id without an embedding.
    named = {name: token for name, token in named.items() if backend.token_to_id(token) is not None}
    additional = [
        t for t in _read_additional_tokens(config, path) if backend.token_to_id(t) is not None
    ]
    fine_tuned = find_fine_tuned((t.content for t in added.values()), named.values())
    return TokenizerFiles(backend, prefix, named, additional, fine_tuned)


def token_id(directory: Path, token: str, vocab_size: int) -> int:
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


def _build_backend(
    directory: Path, config: dict[str, Any], added: dict[int, AddedToken]
) -> tuple[Tokenizer, Prefix]:
    sentencepiece, fast = directory / "tokenizer.model", directory / "tokenizer.json"
    if sentencepiece.is_file():
        model = read_sentencepiece(sentencepiece)
        prefix = choose_prefix(config, model.add_dummy_prefix)
        backend = backends.from_sentencepiece(model, added, has_prefix=prefix != "none")
        return backend, prefix
    if has_vocab_and_merges(directory):
        return backends.from_vocab_and_merges(directory), "none"
    if fast.is_file():
        return from_tokenizer_json(read_tokenizer_json(fast), added, fast), read_saved_prefix(
            config, fast
        )
    raise CheckpointError(
        f"{directory} has none of tokenizer.model, vocab.json with merges.txt, and "
        "tokenizer.json; download the tokenizer files"
    )


def _prepend_bos(backend: Tokenizer, bos: str | None, path: Path) -> None:
    if bos is None or backend.token_to_id(bos) is None:
        raise CheckpointError(
            f"{path}: bos_token {bos!r} is not in the vocabulary; "
            "download the tokenizer files again"
        )
    backends.prepend_token(backend, bos)


def _require_controls(backend: Tokenizer, added: dict[int, AddedToken], directory: Path) -> None:
    tokens = [*backend.get_added_tokens_decoder().values(), *added.values()]
    known = {token.content for token in tokens}
    missing = [token for token in REQUIRED if token not in known]
    if missing:
        raise CheckpointError(
            f"{directory}: the tokenizer has no {', '.join(missing)}, so it is not the one of an "
            "InternVL2 checkpoint; download its tokenizer files"
        )


def _read_named_tokens(config: dict[str, Any], path: Path) -> dict[str, str]:
    """Return the texts of the bos, eos, pad and unk tokens, which may be strings or objects."""
    named: dict[str, str] = {}
    for name in _NAMED:
        found = config.get(name)
        text = found.get("content") if isinstance(found, dict) else found
        if text is not None and not is_valid_text(text):
            raise file_error(path, f"{name} is not a text", found)
        if text:
            named[name] = text
    return named


def _read_additional_tokens(config: dict[str, Any], path: Path) -> list[str]:
    """Return the additional special tokens; transformers 5 calls them `extra_special_tokens`."""
    for name in ("additional_special_tokens", "extra_special_tokens"):
        tokens = config.get(name)
        if tokens is None or tokens == {}:
            continue
        if not isinstance(tokens, list) or not all(map(is_valid_text, tokens)):
            raise file_error(path, f"{name} is not a list of texts", tokens)
        check_count(tokens, name, path)
        return tokens
    return []
