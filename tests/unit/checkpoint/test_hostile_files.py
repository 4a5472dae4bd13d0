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
from xinference_internvl2.checkpoint.weight_files import MAX_FILES
from xinference_internvl2.doctor.checkpoint_report import examine
from xinference_internvl2.errors import MAX_MESSAGE, CheckpointError, RequestError, one_sentence
from xinference_internvl2.families.memory_estimate import Use
from xinference_internvl2.tokenizer import vocab_and_merges
from xinference_internvl2.vllm.settings_files import OPENED, check_settings_files


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


def put(file: Path, kind: str) -> None:
    """Put what is no sound file where one was."""
    file.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "sparse":
        with file.open("wb") as opened:
            opened.truncate(1 << 40)
    else:
        file.symlink_to({"device": "/dev/zero", "dangling": "nowhere", "loop": file.name}[kind])


KINDS = ("pipe", "folder", "sparse", "device", "dangling", "loop")
FILES = {
    "qwen2": ("config.json", "model.safetensors", "vocab.json", "merges.txt"),
    "phi3": ("tokenizer.model", "tokenizer_config.json"),
    "llama": ("tokenizer.json",),
}


@pytest.mark.parametrize(
    ("backbone", "name"), [(b, n) for b, names in FILES.items() for n in names]
)
@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_of_bounded_size_are_opened(
    tmp_path: Path, backbone: str, name: str, kind: str
) -> None:
    tokenizer = "llama3" if backbone == "llama" else None
    path = make_checkpoint(tmp_path / "checkpoint", backbone=backbone, tokenizer=tokenizer)  # type: ignore[arg-type]
    put(path / name, kind)
    assert str(path) in refusal(path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_needed_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone="qwen2")
    for name in (*OPENED, "adapter_config.json", "special_tokens_map.json", "x.safetensors"):
        put(path / name, kind)
    load_tokenizer(path)
    load_model(path)


@pytest.mark.parametrize("name", [*OPENED, "other.json"])
@pytest.mark.parametrize("kind", [*KINDS, "text", "deep"])
def test_what_vllm_opens_is_looked_at_before(tmp_path: Path, name: str, kind: str) -> None:
    check_settings_files(tmp_path)
    (tmp_path / name).write_text("{}")
    check_settings_files(tmp_path)
    if kind in ("text", "deep"):
        (tmp_path / name).write_text('"x"' if kind == "text" else "[" * 10**5)
    else:
        put(tmp_path / name, kind)
    if name == "other.json" and kind in ("text", "deep", "sparse"):
        check_settings_files(tmp_path)
        return
    with pytest.raises(CheckpointError, match=name):
        check_settings_files(tmp_path)


PATHS = [
    "x" * 5000,
    "/".join(["x" * 200] * 30),
    "a\0b",
    "\ud800",
    "~nobody-of-this-name",
    "/dev/null",
]


@pytest.mark.parametrize("path", [*PATHS, "loop", "loop/x", "dangling", "pipe"])
def test_what_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in ("loop", "dangling", "pipe"):
        put(Path(kind), kind)
    for load in (load_model, load_tokenizer):
        with pytest.raises(CheckpointError, match="is not a directory; give the folder of a check"):
            load(path)
    (problem,) = examine(Path(path), [], Use()).problems
    assert problem.endswith("is not a directory; give the folder of a checkpoint")


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


def test_files_in_an_index_at_the_bound_and_one_beyond(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone="qwen2")
    for count, sentence in (
        (MAX_FILES, "0.safetensors is missing"),
        (MAX_FILES + 1, f"weight_map names {MAX_FILES + 1} files, over {MAX_FILES}"),
    ):
        names = {str(number): f"{number}.safetensors" for number in range(count)}
        index = json.dumps({"weight_map": names})
        (path / "model.safetensors.index.json").write_text(index)
        assert sentence in refusal(path)


def test_merges_at_the_bound_and_one_beyond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone="qwen2")
    lines = (path / "merges.txt").read_bytes().count(b"\n")
    monkeypatch.setattr(vocab_and_merges, "MAX_MERGES", lines)
    load_tokenizer(path)
    monkeypatch.setattr(vocab_and_merges, "MAX_MERGES", lines - 1)
    with pytest.raises(CheckpointError, match=f"has more than {lines - 1} lines"):
        load_tokenizer(path)


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
