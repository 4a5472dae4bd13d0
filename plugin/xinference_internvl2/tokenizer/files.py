"""What the tokenizer files of a checkpoint directory say, checked.

`tokenizer_config.json` is read for its tokens and flags. The class and the code that it names
are not looked at: the kind of the tokenizer follows from the files that lie beside it.

`special_tokens_map.json` only repeats what the others say and is not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from tokenizers import AddedToken, Tokenizer

from ..checkpoint.backbones import CONTROL_TOKENS
from ..checkpoint.json_files import read_object
from ..errors import CheckpointError
from . import backend as backends
from .added_tokens import (
    check_count,
    has_vocab_and_merges,
    is_text,
    malformed,
    merge_sources,
    read_fast,
    sources,
)
from .image_tokens import REQUIRED
from .sentencepiece import USER_DEFINED, read_sentencepiece
from .tokenizer_json import from_tokenizer_json

Prefix = Literal["none", "first", "every"]
"""Where SentencePiece puts its extra space: nowhere, before the text, before each run of it."""
SAVED_PREFIX = "sentencepiece_prefix"
"""The field of `tokenizer_config.json` in which our own tokenizers save it."""

_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """A backend that encodes all but the extra space, and what transformers wants to know;
    `fine_tuned` are the tokens that the published tokenizers lack."""

    backend: Tokenizer
    prefix: Prefix
    named: dict[str, str]
    additional: list[str]
    fine_tuned: frozenset[str]


def read_tokenizer_files(directory: Path) -> TokenizerFiles:
    """Build the backend of the checkpoint in `directory`.

    Raises:
        CheckpointError: a file is missing, damaged, or lacks a control token.
    """
    path = directory / "tokenizer_config.json"
    config = read_object(path)
    added, named = merge_sources(directory, config), _named_tokens(config, path)
    backend, prefix = _backend(directory, config, added)
    _require_controls(backend, added, directory)
    backends.add_tokens(backend, added, directory)
    if (directory / "tokenizer.model").is_file() and config.get("add_bos_token", True):
        _add_start(backend, named.get("bos_token"), path)
    # A token unknown to the vocabulary would get an id that the model has no embedding for.
    named = {name: token for name, token in named.items() if backend.token_to_id(token) is not None}
    additional = [t for t in _additional(config, path) if backend.token_to_id(t) is not None]
    fine_tuned = frozenset(t.content for t in added.values() if t.content not in CONTROL_TOKENS)
    fine_tuned -= {*named.values()}
    return TokenizerFiles(backend, prefix, named, additional, fine_tuned)


def token_id(directory: Path, token: str, vocab_size: int) -> int:
    """The id of the control token `token`, from the same files as `read_tokenizer_files`.

    Raises:
        CheckpointError: a file is damaged, or none names an id below `vocab_size`.
    """
    path = directory / "tokenizer_config.json"
    config = read_object(path) if path.is_file() else {}
    ids: list[int] = []
    for tokens in sources(directory, config):
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


def _backend(
    directory: Path, config: dict[str, Any], added: dict[int, AddedToken]
) -> tuple[Tokenizer, Prefix]:
    sentencepiece, fast = directory / "tokenizer.model", directory / "tokenizer.json"
    if sentencepiece.is_file():
        model = read_sentencepiece(sentencepiece)
        prefix: Prefix = "every" if model.add_dummy_prefix else "none"
        if config.get("legacy") is False and config.get("add_prefix_space") is not False:
            prefix = "first"
        backend = backends.from_sentencepiece(model, added, prefixed=prefix != "none")
        return backend, prefix
    if has_vocab_and_merges(directory):
        return backends.from_vocab_and_merges(directory), "none"
    if fast.is_file():
        return from_tokenizer_json(read_fast(fast), added, fast), _saved_prefix(config, fast)
    raise CheckpointError(
        f"{directory} has none of tokenizer.model, vocab.json with merges.txt, and "
        "tokenizer.json; download the tokenizer files"
    )


def _saved_prefix(config: dict[str, Any], path: Path) -> Prefix:
    prefix = config.get(SAVED_PREFIX, "none")
    if prefix not in get_args(Prefix):
        raise malformed(path, f"{SAVED_PREFIX} is not one of {', '.join(get_args(Prefix))}", prefix)
    return cast(Prefix, prefix)


def _add_start(backend: Tokenizer, bos: str | None, path: Path) -> None:
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


def _named_tokens(config: dict[str, Any], path: Path) -> dict[str, str]:
    """The texts of bos, eos, pad and unk tokens, given as such or as an object."""
    named: dict[str, str] = {}
    for name in _NAMED:
        found = config.get(name)
        text = found.get("content") if isinstance(found, dict) else found
        if text is not None and not is_text(text):
            raise malformed(path, f"{name} is not a text", found)
        if text:
            named[name] = text
    return named


def _additional(config: dict[str, Any], path: Path) -> list[str]:
    """`extra_special_tokens` is what transformers 5 calls `additional_special_tokens`."""
    for name in ("additional_special_tokens", "extra_special_tokens"):
        tokens = config.get(name)
        if tokens is None or tokens == {}:
            continue
        if not isinstance(tokens, list) or not all(map(is_text, tokens)):
            raise malformed(path, f"{name} is not a list of texts", tokens)
        check_count(tokens, name, path)
        return tokens
    return []
