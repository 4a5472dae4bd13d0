"""A checkpoint as an attack: pipes, files of any size, nesting without end, odd names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.tiny import make_checkpoint
from xinference_internvl2 import load_model, load_tokenizer
from xinference_internvl2.checkpoint.json_files import (
    MAX_DEPTH,
    MAX_JSON_BYTES,
    read_bytes,
    read_json,
)
from xinference_internvl2.errors import MAX_MESSAGE, CheckpointError, RequestError, one_sentence


def refusal(path: Path) -> str:
    def load() -> None:
        load_tokenizer(path)
        load_model(path)

    with pytest.raises(CheckpointError) as caught:
        load()
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) <= MAX_MESSAGE
    return message


FILES = {
    "qwen2": ("config.json", "model.safetensors", "vocab.json", "merges.txt"),
    "phi3": ("tokenizer.model", "tokenizer_config.json"),
    "llama": ("tokenizer.json",),
}


@pytest.mark.parametrize(
    ("backbone", "name"), [(b, n) for b, names in FILES.items() for n in names]
)
@pytest.mark.parametrize("kind", ["pipe", "folder", "sparse"])
def test_only_regular_files_of_bounded_size_are_opened(
    tmp_path: Path, backbone: str, name: str, kind: str
) -> None:
    tokenizer = "llama3" if backbone == "llama" else None
    path = make_checkpoint(tmp_path / "checkpoint", backbone=backbone, tokenizer=tokenizer)  # type: ignore[arg-type]
    (path / name).unlink()
    if kind == "pipe":
        os.mkfifo(path / name)
    elif kind == "folder":
        (path / name).mkdir()
    else:
        with (path / name).open("wb") as file:
            file.truncate(1 << 40)
    message = refusal(path)
    assert str(path) in message


def test_sizes_at_the_bound_and_one_beyond(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for size, fine in ((MAX_JSON_BYTES, True), (MAX_JSON_BYTES + 1, False)):
        file.write_bytes(b"1".ljust(size))
        if fine:
            assert read_json(file) == 1
            continue
        with pytest.raises(CheckpointError, match="is larger than 4 MiB"):
            read_json(file)
    assert read_bytes(file, MAX_JSON_BYTES + 1) == b"1".ljust(MAX_JSON_BYTES + 1)


@pytest.mark.parametrize("shape", ["[{}]", '{{"a": {}}}'])
def test_depth_at_the_bound_and_one_beyond(tmp_path: Path, shape: str) -> None:
    file, text = tmp_path / "x.json", "1"
    for _ in range(MAX_DEPTH):
        text = shape.format(text)
    file.write_text(text)
    read_json(file)
    file.write_text(shape.format(text))
    with pytest.raises(CheckpointError, match="is nested more than 32 levels deep"):
        read_json(file)
    file.write_text("[" * 10**6)
    with pytest.raises(CheckpointError, match="is not valid JSON"):
        read_json(file)


@pytest.mark.parametrize(
    "name", ["\ud800", "a\nb.safetensors", "x" * 10**5, "../x.safetensors", ""]
)
def test_names_of_files_in_an_index(tmp_path: Path, name: str) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone="qwen2")
    index = json.dumps({"weight_map": {"a": name}})
    (path / "model.safetensors.index.json").write_text(index)
    assert "weight_map does not name files of its own folder" in refusal(path)


def test_a_header_that_is_too_long(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone="qwen2")
    with (path / "model.safetensors").open("wb") as file:
        file.write((1 << 25).to_bytes(8, "little"))
        file.truncate(1 << 26)
    assert "has a header of 33554432 bytes, more than 16777216" in refusal(path)


@pytest.mark.parametrize("error", [CheckpointError, RequestError])
def test_every_message_is_one_bounded_printable_line(error: type[Exception]) -> None:
    message = str(error("a\nb\x00\x1b[31m\ud800" + "c" * 10**6 + "; the remedy"))
    assert message.startswith("a b\\x00\\x1b[31m\\ud800ccc")
    assert message.endswith("ccc") or message.endswith("; the remedy")
    assert message.isprintable()
    assert len(message) == MAX_MESSAGE


def test_messages_at_the_bound_and_one_beyond() -> None:
    assert one_sentence("x" * MAX_MESSAGE) == "x" * MAX_MESSAGE
    cut = one_sentence("x" * MAX_MESSAGE + "y")
    assert (len(cut), cut[-1]) == (MAX_MESSAGE, "y")
    assert " … " in cut
