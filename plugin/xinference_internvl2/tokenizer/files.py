"""What the tokenizer files of a checkpoint directory say, checked.

`tokenizer_config.json` is read for its tokens and flags. The class and the code that it names
are not looked at: the kind of the tokenizer follows from the files that lie beside it.

Added tokens come from `added_tokens_decoder` of `tokenizer_config.json`; where it has no such
field, from `added_tokens.json`; and from `tokenizer.json`, if that is the file that is used, or no
other names any. Those of the published tokenizers are control tokens, which no text of a user may
become; those that a fine-tune added are one id in any text.
`special_tokens_map.json` only repeats what the others say and is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard, cast, get_args

from tokenizers import AddedToken, Tokenizer

from ..checkpoint.backbones import CONTROL_TOKENS
from ..checkpoint.json_files import read_json, read_object
from ..errors import CheckpointError
from . import backend as backends
from .backend import shown
from .control_tokens import REQUIRED
from .sentencepiece import USER_DEFINED, read_sentencepiece
from .tokenizer_json import from_tokenizer_json

Prefix = Literal["none", "first", "every"]
"""Where SentencePiece puts its extra space: nowhere, before the text, before each run of it."""
SAVED_PREFIX = "sentencepiece_prefix"
"""The field of `tokenizer_config.json` in which our own tokenizers save it."""

MAX_ID = 1 << 24
MAX_ADDED = 4096
"""Control tokens that one file may name; the published checkpoints have 21 at most."""
MAX_CONTENT = 256

_FLAGS = ("lstrip", "rstrip", "single_word")
_INDEX = re.compile("0|[1-9][0-9]{0,7}")
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
    added, named = _merge(directory, config), _named_tokens(config, path)
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
    for tokens in _sources(directory, config):
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
    if _has_vocab_and_merges(directory):
        return backends.from_vocab_and_merges(directory), "none"
    if fast.is_file():
        return from_tokenizer_json(_read_fast(fast), added, fast), _saved_prefix(config, fast)
    raise CheckpointError(
        f"{directory} has none of tokenizer.model, vocab.json with merges.txt, and "
        "tokenizer.json; download the tokenizer files"
    )


def _saved_prefix(config: dict[str, Any], path: Path) -> Prefix:
    prefix = config.get(SAVED_PREFIX, "none")
    if prefix not in get_args(Prefix):
        raise _bad(path, f"{SAVED_PREFIX} is not one of {', '.join(get_args(Prefix))}", prefix)
    return cast(Prefix, prefix)


def _sources(directory: Path, config: dict[str, Any]) -> Iterator[dict[int, AddedToken]]:
    """Added tokens by id, one file after the other; the first that names a token decides."""
    added, fast = directory / "added_tokens.json", directory / "tokenizer.json"
    named = config.get("added_tokens_decoder") is not None
    if named:
        yield _from_config(config["added_tokens_decoder"], directory / "tokenizer_config.json")
    elif added.is_file():
        yield _from_added_tokens(read_object(added), added, _special_texts(config))
    sentencepiece = (directory / "tokenizer.model").is_file()
    others = sentencepiece or _has_vocab_and_merges(directory)
    if fast.is_file() and not (others and (named or added.is_file())):
        yield _from_fast(_read_fast(fast), fast)


def _merge(directory: Path, config: dict[str, Any]) -> dict[int, AddedToken]:
    merged: dict[int, AddedToken] = {}
    for tokens in _sources(directory, config):
        for index, token in tokens.items():
            known = merged.setdefault(index, token)
            if known.content != token.content:
                raise CheckpointError(
                    f"{directory}: one tokenizer file gives the id {index} to "
                    f"{shown(known.content)}, another to {shown(token.content)}; "
                    "download all of them again"
                )
    return merged


def _from_config(entries: Any, path: Path) -> dict[int, AddedToken]:
    problem = "added_tokens_decoder does not map ids to tokens"
    if not isinstance(entries, dict):
        raise _bad(path, problem, entries)
    _count(entries, "added_tokens_decoder", path)
    added: dict[int, AddedToken] = {}
    for key, entry in entries.items():
        if not _INDEX.fullmatch(key) or int(key) >= MAX_ID:
            raise _bad(path, f"{problem}: an id", key)
        added[int(key)] = _token(entry, f"{problem}: {key}", path, _FLAGS)
    return added


def _special_texts(config: dict[str, Any]) -> list[Any]:
    """The texts that `tokenizer_config.json` calls special, where `added_tokens.json` cannot."""
    extra = [config.get("additional_special_tokens"), config.get("extra_special_tokens")]
    return [text for texts in extra if isinstance(texts, list) for text in texts]


def _from_added_tokens(
    entries: dict[str, Any], path: Path, special: list[Any]
) -> dict[int, AddedToken]:
    _count(entries, "the file", path)
    added: dict[int, AddedToken] = {}
    for content, index in entries.items():
        where = f"the id of {shown(content)}"
        if _index(index, where, path) in added:
            raise _bad(path, f"{where} is another token's", index)
        entry = {"content": content, "special": content in special}
        added[index] = _token(entry, "a token", path, ())
    return added


def _from_fast(values: dict[str, Any], path: Path) -> dict[int, AddedToken]:
    entries = values.get("added_tokens")
    if not isinstance(entries, list):
        raise _bad(path, "added_tokens is not a list", entries)
    _count(entries, "added_tokens", path)
    added: dict[int, AddedToken] = {}
    for position, entry in enumerate(entries):
        where = f"added_tokens[{position}]"
        token = _token(entry, where, path, (*_FLAGS, "normalized"))
        if _index(entry.get("id"), f"{where}.id", path) in added:
            raise _bad(path, f"{where}.id is another token's", entry["id"])
        added[entry["id"]] = token
    return added


def _token(entry: Any, where: str, path: Path, names: tuple[str, ...]) -> AddedToken:
    if not isinstance(entry, dict):
        raise _bad(path, f"{where} is not an object", entry)
    content = entry.get("content")
    if not _is_text(content) or not 0 < len(content) <= MAX_CONTENT:
        wanted = f"content is not a text of 1 to {MAX_CONTENT} characters"
        raise _bad(path, f"{where}: {wanted}", content)
    flags = {name: entry.get(name, False) for name in (*names, "special")}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise _bad(path, f"{where}: {name} is neither true nor false", flag)
    # A control token of a published tokenizer is one whatever a file says, so that no text of a
    # user becomes one.
    flags["special"] = flags["special"] or content in CONTROL_TOKENS
    return AddedToken(content, **({"normalized": False} | flags))


def _index(value: Any, where: str, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_ID:
        raise _bad(path, f"{where} is not a whole number from 0 to {MAX_ID - 1}", value)
    return value


def _count(entries: Any, name: str, path: Path) -> None:
    if len(entries) > MAX_ADDED:
        raise CheckpointError(
            f"{path}: {name} has {len(entries)} tokens, but no checkpoint adds more than "
            f"{MAX_ADDED}; download the file again"
        )


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether it is valid Unicode; JSON may hold half a surrogate pair."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _bad(path: Path, problem: str, value: Any) -> CheckpointError:
    return CheckpointError(f"{path}: {problem}: {shown(value)}; download the file again")


def _has_vocab_and_merges(directory: Path) -> bool:
    return (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file()


def _read_fast(path: Path) -> dict[str, Any]:
    values = read_json(path, backends.MAX_BYTES)
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{path} does not describe a tokenizer, being no JSON object; download it again"
        )
    return values


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
        if text is not None and not _is_text(text):
            raise _bad(path, f"{name} is not a text", found)
        if text:
            named[name] = text
    return named


def _additional(config: dict[str, Any], path: Path) -> list[str]:
    """`extra_special_tokens` is what transformers 5 calls `additional_special_tokens`."""
    for name in ("additional_special_tokens", "extra_special_tokens"):
        tokens = config.get(name)
        if tokens is None or tokens == {}:
            continue
        if not isinstance(tokens, list) or not all(map(_is_text, tokens)):
            raise _bad(path, f"{name} is not a list of texts", tokens)
        _count(tokens, name, path)
        return tokens
    return []
