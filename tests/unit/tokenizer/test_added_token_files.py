"""The ids, texts and number of added tokens that a file may name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.tokenizer.added_token_files import merge_added_tokens
from xinference_internvl2.tokenizer.added_token_limits import MAX_ADDED, MAX_CONTENT, MAX_ID

Tokens = dict[int, str]


def from_config(folder: Path, tokens: Tokens) -> dict[str, Any]:
    entries = {str(index): {"content": text} for index, text in tokens.items()}
    return {"added_tokens_decoder": entries}


def from_added_tokens(folder: Path, tokens: Tokens) -> dict[str, Any]:
    values = {text: index for index, text in tokens.items()}
    (folder / "added_tokens.json").write_text(json.dumps(values))
    return {}


def from_tokenizer_json(folder: Path, tokens: Tokens) -> dict[str, Any]:
    values = [{"id": index, "content": text} for index, text in tokens.items()]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": values}))
    return {}


Write = Callable[[Path, Tokens], dict[str, Any]]
FILES = pytest.mark.parametrize("write", [from_config, from_added_tokens, from_tokenizer_json])


def read(folder: Path, write: Write, tokens: Tokens) -> Tokens:
    found = merge_added_tokens(folder, write(folder, tokens))
    return {index: token.content for index, token in found.items()}


@FILES
def test_what_there_may_be(tmp_path: Path, write: Write) -> None:
    tokens = {0: "x", 1: "y" * MAX_CONTENT, MAX_ID - 1: "z"}
    assert read(tmp_path, write, tokens) == tokens
    most = {index: f"<{index}>" for index in range(MAX_ADDED)}
    assert read(tmp_path, write, most) == most


@FILES
@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        ({-1: "x"}, "-1"),
        ({MAX_ID: "x"}, str(MAX_ID)),
        ({1: ""}, "content is not a text of 1 to 256 characters"),
        ({1: "y" * (MAX_CONTENT + 1)}, "content is not a text of 1 to 256 characters"),
        ({index: f"<{index}>" for index in range(MAX_ADDED + 1)}, f"has {MAX_ADDED + 1} tokens"),
    ],
    ids=["below 0", "too large", "empty", "too long", "too many"],
)
def test_one_beyond_is_refused(tmp_path: Path, write: Write, tokens: Tokens, sentence: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path, write, tokens)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith("; download the file again")
