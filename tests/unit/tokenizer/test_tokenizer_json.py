"""What a `tokenizer.json` may have, and what it is refused for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.unit.tokenizer.files import edit_json, refusal
from xinference_internvl2.tokenizer.tokenizer import (
    encode_segments,
    load_tokenizer,
)


def test_truncation_and_padding_of_a_tokenizer_json_are_dropped(
    directories, tmp_path: Path
) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tokenizer.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["truncation"] = dict(max_length=4, strategy="LongestFirst", stride=0, direction="Right")
    values["padding"] = dict(
        strategy={"Fixed": 9},
        direction="Right",
        pad_to_multiple_of=None,
        pad_id=0,
        pad_type_id=0,
        pad_token="!",
    )
    path.write_text(json.dumps(values), encoding="utf-8")
    assert load_tokenizer(tmp_path).backend_tokenizer.truncation is None
    expected = load_tokenizer(directories["llama3"])
    for text in ("", "a b c d e f g h i j k l"):
        assert load_tokenizer(tmp_path)(text).input_ids == expected(text).input_ids
        assert encode_segments(load_tokenizer(tmp_path), [(text, True)]) == expected(text).input_ids


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}


BYTE_LEVEL |= {"use_regex": False}


LLAMA3_SPLIT = {
    "type": "Split",
    "pattern": {
        "Regex": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    },
    "behavior": "Isolated",
    "invert": False,
}


def split(**changes: object) -> dict[str, object]:
    return {
        "type": "Sequence",
        "pretokenizers": [LLAMA3_SPLIT | changes, BYTE_LEVEL],
    }


def template(single: str, ids: list[int], name: str = "<|begin_of_text|>") -> dict[str, object]:
    """A post-processor; `single` is given by letters, b for the token and A for the text."""
    bos, text = ({"SpecialToken": {"id": name, "type_id": 0}}, {"Sequence": {"id": "A"}})
    text["Sequence"]["type_id"] = 0
    other = {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "type": "TemplateProcessing",
        "single": [bos if letter == "b" else text for letter in single],
        "pair": [bos, text, bos, other],
        "special_tokens": {name: {"id": name, "ids": ids, "tokens": [name]}},
    }


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}


COMPONENTS = {
    "multiplies": ("normalizer", {"type": "Sequence", "normalizers": [REPLACE] * 3}),
    "replaces": ("normalizer", REPLACE),
    "panics": ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
    "lists": ("normalizer", ["NFC"]),
    "blows up": ("pre_tokenizer", split(pattern={"Regex": "(a+)+$"})),
    "string": ("pre_tokenizer", split(pattern={"String": "a"})),
    "removes": ("pre_tokenizer", split(behavior="Removed")),
    "inverts": ("pre_tokenizer", split(invert=True)),
    "splits only": ("pre_tokenizer", LLAMA3_SPLIT),
    "no steps": ("pre_tokenizer", {"type": "Sequence", "pretokenizers": []}),
    "many steps": ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [BYTE_LEVEL] * 3}),
    "metaspace": ("pre_tokenizer", {"type": "Metaspace"}),
    "adds spaces": ("pre_tokenizer", BYTE_LEVEL | {"add_prefix_space": True}),
    "none": ("pre_tokenizer", None),
    "text": ("pre_tokenizer", "ByteLevel"),
    "no decoder": ("decoder", None),
    "decodes": ("decoder", {"type": "ByteFallback"}),
    "bert": ("post_processor", {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 2]}),
    "other id": ("post_processor", template("bA", [9_999_999])),
    "no token": ("post_processor", template("bA", [640], name="<none>")),
    "many ids": ("post_processor", template("bA", [640] * 99)),
    "text twice": ("post_processor", template("bAA", [640])),
    "after": ("post_processor", template("bAb", [640])),
    "many": ("post_processor", template("b" * 99 + "A", [640])),
    "nothing": ("post_processor", template("", [640])),
    "bad template": ("post_processor", {"type": "TemplateProcessing", "single": 1}),
    "word level": ("model", {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}),
    "no model": ("model", None),
}


@pytest.mark.parametrize("case", COMPONENTS)
def test_only_known_components_of_a_tokenizer_json(directories, tmp_path: Path, case: str) -> None:
    name, value = COMPONENTS[case]
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    edit_json("tokenizer.json", lambda values: values.update({name: value}))(tmp_path)
    message = refusal(lambda: load_tokenizer(tmp_path))
    found = {k: v for k, v in value.items() if k != "vocab"} if case == "word level" else value
    assert f"tokenizer.json: the {name} is {json.dumps(found)[:150]}" in message


def test_the_length_of_a_template(directories, tmp_path: Path) -> None:
    for tokens, fine in ((7, True), (8, False)):
        path = tmp_path / str(tokens)
        shutil.copytree(directories["llama3"], path)
        longer = {"post_processor": template("b" * tokens + "A", [640])}
        edit_json("tokenizer.json", lambda values, longer=longer: values.update(longer))(path)
        if fine:
            assert load_tokenizer(path)("a").input_ids[:8].count(640) == tokens
        else:
            assert "the post_processor is" in refusal(lambda path=path: load_tokenizer(path))


@pytest.mark.parametrize(("parts", "fine"), [(16, True), (17, False)])
def test_the_length_of_a_template_of_two_texts(
    directories, tmp_path: Path, parts: int, fine: bool
) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    longer = template("bA", [640])
    bos, text, _, other = longer["pair"]  # type: ignore[misc]
    longer["pair"] = [*[bos] * (parts - 2), text, other]
    edit_json("tokenizer.json", lambda values: values.update(post_processor=longer))(tmp_path)
    if fine:
        assert load_tokenizer(tmp_path)("a").input_ids[0] == 640
    else:
        assert "the post_processor is" in refusal(lambda: load_tokenizer(tmp_path))


def test_random_merges_are_refused(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    edit_json("tokenizer.json", lambda values: values["model"].update(dropout=0.5))(tmp_path)
    assert '"dropout": 0.5' in refusal(lambda: load_tokenizer(tmp_path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pre_tokenizer", split()),
        ("pre_tokenizer", BYTE_LEVEL | {"use_regex": True}),
        ("normalizer", {"type": "NFC"}),
        ("post_processor", None),
        ("post_processor", BYTE_LEVEL),
        ("post_processor", template("bA", [640])),
    ],
)
def test_the_known_components_are_accepted(
    directories, tmp_path: Path, name: str, value: object
) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    edit_json("tokenizer.json", lambda values: values.update({name: value}))(tmp_path)
    fast = load_tokenizer(tmp_path)
    plain = fast("a red circle", add_special_tokens=False).input_ids
    start = [] if name == "post_processor" and value in (None, BYTE_LEVEL) else [640]
    assert encode_segments(fast, [("a red circle", True)]) == start + plain
    assert fast.decode(plain) == "a red circle"


def test_files_at_which_the_library_panics_are_refused(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    change = {"continuing_subword_prefix": "much longer than any piece"}
    edit_json("tokenizer.json", lambda values: values["model"].update(change))(tmp_path)
    assert str(tmp_path) in refusal(lambda: load_tokenizer(tmp_path))
