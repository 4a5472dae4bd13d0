"""The id of one token, from the files alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.unit.tokenizer.files import (
    CONTEXT,
    HUB,
    KINDS,
    TURN,
    edit_config,
    edit_json,
    refusal,
    without,
)
from xinference_internvl2.tokenizer.find_token_id import find_token_id
from xinference_internvl2.tokenizer.tokenizer import (
    encode_segments,
    load_tokenizer,
)


def only_in(file: str):
    """Leave but one of the places that name the control tokens."""

    def change(directory: Path) -> None:
        if file != "tokenizer_config.json":
            edit_json("tokenizer_config.json", lambda v: v.pop("added_tokens_decoder"))(directory)
        if file != "added_tokens.json":
            (directory / "added_tokens.json").unlink()
        if file != "tokenizer.json" and (directory / "tokenizer.json").is_file():
            edit_json("tokenizer.json", lambda v: v.update(added_tokens=[]))(directory)

    return change


PLACES = [(kind, file) for kind in KINDS for file in ("tokenizer_config.json", "added_tokens.json")]


@pytest.mark.parametrize(("kind", "file"), [*PLACES, ("llama3", "tokenizer.json")])
def test_the_id_of_a_token_is_found_where_the_loader_finds_it(
    directories, load, tmp_path: Path, kind: str, file: str
) -> None:
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    only_in(file)(tmp_path)
    fast, slow = load(kind)
    index = fast.convert_tokens_to_ids(CONTEXT)
    assert find_token_id(tmp_path, CONTEXT, index + 1) == index
    again = load_tokenizer(tmp_path)
    assert again.convert_tokens_to_ids(CONTEXT) == index
    for text in ("", "<img><IMG_CONTEXT></img>\nWhat is 你好?", TURN + "hi<|im_end|>"):
        if kind != "phi3" or "<|" not in text:  # only one place says which tokens eat spaces
            assert encode_segments(again, [(text, True)]) == slow.encode(text)
    for size in (index, 0):
        assert "<IMG_CONTEXT> within the vocabulary; download tokenizer_config.json and" in refusal(
            lambda size=size: find_token_id(tmp_path, CONTEXT, size)
        )


def test_the_id_of_a_missing_token(directories, tmp_path: Path) -> None:
    names_none = "the tokenizer's files name no id for"
    assert names_none in refusal(lambda: find_token_id(tmp_path, CONTEXT, 9999))
    shutil.copytree(directories["yi"], tmp_path, dirs_exist_ok=True)
    assert f"{names_none} <none>" in refusal(lambda: find_token_id(tmp_path, "<none>", 9999))
    without(CONTEXT)(tmp_path)
    assert names_none in refusal(lambda: find_token_id(tmp_path, CONTEXT, 9999))
    edit_config(tmp_path, added_tokens_decoder=[1])
    assert "does not map ids" in refusal(lambda: find_token_id(tmp_path, CONTEXT, 9999))


@pytest.mark.parametrize("name", HUB)
def test_the_id_of_a_published_token(load, directories, name: str) -> None:
    fast, _ = load(name)
    expected = fast.convert_tokens_to_ids(CONTEXT)
    assert find_token_id(directories[name], CONTEXT, expected + 1) == expected


def test_a_user_defined_piece_has_an_id(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["yi"], tmp_path, dirs_exist_ok=True)
    without("<|im_end|>")(tmp_path)
    expected = load_tokenizer(tmp_path).convert_tokens_to_ids("<|im_end|>")
    assert find_token_id(tmp_path, "<|im_end|>", 9999) == expected
