"""Reads the added tokens that the files of a checkpoint name, by id.

They come from `added_tokens_decoder` of `tokenizer_config.json`; where it has no such field, from
`added_tokens.json`; and from `tokenizer.json`, if that is the file that is used, or no other names
any. Those of the published tokenizers are control tokens, which no text of a user may become; those
that a fine-tune added are one id in any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from ..checkpoint.json_files import read_object
from ..errors import CheckpointError
from .added_token_limits import MAX_CONTENT, MAX_ID, check_count
from .damaged_file import file_error, is_valid_text, quote
from .special_token_fields import list_special_texts
from .token_kinds import is_control
from .tokenizer_json import read_tokenizer_json
from .vocab_and_merges import has_vocab_and_merges

_FLAGS = ("lstrip", "rstrip", "single_word")
_INDEX = re.compile("0|[1-9][0-9]{0,7}")


def read_added_tokens(directory: Path, config: dict[str, Any]) -> Iterator[dict[int, AddedToken]]:
    """Yield the added tokens of each file by id; the first file that has a token decides."""
    added, fast = directory / "added_tokens.json", directory / "tokenizer.json"
    named = config.get("added_tokens_decoder") is not None
    if named:
        yield _from_config(config["added_tokens_decoder"], directory / "tokenizer_config.json")
    elif added.is_file():
        yield _from_added_tokens(read_object(added), added, list_special_texts(config))
    sentencepiece = (directory / "tokenizer.model").is_file()
    others = sentencepiece or has_vocab_and_merges(directory)
    if fast.is_file() and not (others and (named or added.is_file())):
        yield _from_tokenizer_json(read_tokenizer_json(fast), fast)


def merge_added_tokens(directory: Path, config: dict[str, Any]) -> dict[int, AddedToken]:
    """Return the added tokens of all files by id.

    Raises:
        CheckpointError: a file is damaged, or two files give an id to different tokens.
    """
    merged: dict[int, AddedToken] = {}
    for tokens in read_added_tokens(directory, config):
        for index, token in tokens.items():
            known = merged.setdefault(index, token)
            if known.content != token.content:
                raise CheckpointError(
                    f"{directory}: one tokenizer file gives the id {index} to "
                    f"{quote(known.content)}, another to {quote(token.content)}; "
                    "download all of them again"
                )
    return merged


def add_to_backend(backend: Tokenizer, added: dict[int, AddedToken], directory: Path) -> None:
    """Add the tokens to the vocabulary, each with its id.

    Raises:
        CheckpointError: the vocabulary gives a token another id; the message names `directory`.
    """
    # In the order of ids, since a new token gets the next free one.
    backend.add_tokens([token for _, token in sorted(added.items())])
    for index, token in sorted(added.items()):
        found = backend.token_to_id(token.content)
        if found != index:
            raise CheckpointError(
                f"{directory}: the token {quote(token.content)} has the id {index}, but the "
                f"vocabulary gives it {found}; download all tokenizer files again"
            )


def _from_config(entries: Any, path: Path) -> dict[int, AddedToken]:
    problem = "added_tokens_decoder does not map ids to tokens"
    if not isinstance(entries, dict):
        raise file_error(path, problem, entries)
    check_count(entries, "added_tokens_decoder", path)
    added: dict[int, AddedToken] = {}
    for key, entry in entries.items():
        if not _INDEX.fullmatch(key) or int(key) >= MAX_ID:
            raise file_error(path, f"{problem}: an id", key)
        added[int(key)] = _parse_token(entry, f"{problem}: {key}", path, _FLAGS)
    return added


def _from_added_tokens(
    entries: dict[str, Any], path: Path, special: list[Any]
) -> dict[int, AddedToken]:
    check_count(entries, "the file", path)
    added: dict[int, AddedToken] = {}
    for content, index in entries.items():
        where = f"the id of {quote(content)}"
        if _parse_id(index, where, path) in added:
            raise file_error(path, f"{where} is another token's", index)
        entry = {"content": content, "special": content in special}
        added[index] = _parse_token(entry, "a token", path, ())
    return added


def _from_tokenizer_json(values: dict[str, Any], path: Path) -> dict[int, AddedToken]:
    entries = values.get("added_tokens")
    if not isinstance(entries, list):
        raise file_error(path, "added_tokens is not a list", entries)
    check_count(entries, "added_tokens", path)
    added: dict[int, AddedToken] = {}
    for position, entry in enumerate(entries):
        where = f"added_tokens[{position}]"
        token = _parse_token(entry, where, path, (*_FLAGS, "normalized"))
        if _parse_id(entry.get("id"), f"{where}.id", path) in added:
            raise file_error(path, f"{where}.id is another token's", entry["id"])
        added[entry["id"]] = token
    return added


def _parse_token(entry: Any, where: str, path: Path, names: tuple[str, ...]) -> AddedToken:
    if not isinstance(entry, dict):
        raise file_error(path, f"{where} is not an object", entry)
    content = entry.get("content")
    if not is_valid_text(content) or not 0 < len(content) <= MAX_CONTENT:
        wanted = f"content is not a text of 1 to {MAX_CONTENT} characters"
        raise file_error(path, f"{where}: {wanted}", content)
    flags = {name: entry.get(name, False) for name in (*names, "special")}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise file_error(path, f"{where}: {name} is neither true nor false", flag)
    flags["special"] = is_control(content, flags["special"])
    return AddedToken(content, **({"normalized": False} | flags))


def _parse_id(value: Any, where: str, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_ID:
        raise file_error(path, f"{where} is not a whole number from 0 to {MAX_ID - 1}", value)
    return value
