"""What the tokenizer files of a checkpoint directory say, checked.

`tokenizer_config.json` is read for its tokens and flags. The class and the code that it names
are not looked at: the kind of the tokenizer follows from the files that lie beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import AddedToken, Tokenizer

from . import tokenizer_backend as backends
from .config import read_json
from .errors import CheckpointError
from .sentencepiece_model import read_sentencepiece

REQUIRED = ("<img>", "</img>", "<IMG_CONTEXT>")
"""Control tokens that every prompt with an image needs."""

Prefix = Literal["none", "first", "every"]
"""Where SentencePiece puts its extra space: nowhere, before the text, before each run of it."""

MAX_ID = 1 << 24

_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """A backend that encodes all but the extra space, and what transformers wants to know."""

    backend: Tokenizer
    prefix: Prefix
    named: dict[str, str]
    additional: list[str]


def read_tokenizer_files(directory: Path) -> TokenizerFiles:
    """Build the backend of the checkpoint in `directory`.

    Raises:
        CheckpointError: a file is missing, damaged, or lacks a control token.
    """
    path = directory / "tokenizer_config.json"
    config = read_json(path)
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} is not a JSON object; download it again")
    added, named = _added_tokens(config, path), _named_tokens(config)
    backend, prefix = _backend(directory, config, added)
    _require_controls(backend, added, directory)
    backends.add_control_tokens(backend, added, path)
    if (directory / "tokenizer.model").is_file() and config.get("add_bos_token", True):
        _add_start(backend, named.get("bos_token"), path)
    additional = config.get("additional_special_tokens") or []
    if not isinstance(additional, list) or not all(isinstance(t, str) for t in additional):
        raise CheckpointError(
            f"{path}: additional_special_tokens is not a list of texts; download the file again"
        )
    # A token unknown to the vocabulary would get an id that the model has no embedding for.
    named = {name: token for name, token in named.items() if backend.token_to_id(token) is not None}
    additional = [token for token in additional if backend.token_to_id(token) is not None]
    return TokenizerFiles(backend, prefix, named, additional)


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
    if (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file():
        return backends.from_vocab_and_merges(directory), "none"
    if fast.is_file():
        return backends.from_tokenizer_json(fast), "none"
    raise CheckpointError(
        f"{directory} has none of tokenizer.model, vocab.json with merges.txt, and "
        "tokenizer.json; download the tokenizer files"
    )


def _added_tokens(config: dict[str, Any], path: Path) -> dict[int, AddedToken]:
    """Control tokens by id. All count as special, so that none is ever taken from a text."""
    added: dict[int, AddedToken] = {}
    try:
        for index, token in (config.get("added_tokens_decoder") or {}).items():
            flags = {name: token.get(name, False) for name in ("lstrip", "rstrip")}
            content = token["content"]
            if not content or not 0 <= int(index) < MAX_ID:
                raise ValueError
            added[int(index)] = AddedToken(content, normalized=False, special=True, **flags)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{path}: added_tokens_decoder does not map ids to tokens; download the file again"
        ) from None
    return added


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


def _named_tokens(config: dict[str, Any]) -> dict[str, str]:
    """The texts of bos, eos, pad and unk tokens, given as such or as an object."""
    found = {name: config.get(name) for name in _NAMED}
    texts = {k: v.get("content") if isinstance(v, dict) else v for k, v in found.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}
