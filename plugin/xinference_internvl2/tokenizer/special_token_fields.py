"""Reads the special tokens of `tokenizer_config.json`, in the spellings of transformers 4 and 5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .added_token_limits import check_count
from .damaged_file import file_error, is_valid_text

_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


def read_named_tokens(config: dict[str, Any], path: Path) -> dict[str, str]:
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


def read_additional_tokens(config: dict[str, Any], path: Path) -> list[str]:
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


def list_special_texts(config: dict[str, Any]) -> list[Any]:
    """Return the texts that `tokenizer_config.json` calls special, for `added_tokens.json`."""
    extra = [config.get("additional_special_tokens"), config.get("extra_special_tokens")]
    return [text for texts in extra if isinstance(texts, list) for text in texts]
