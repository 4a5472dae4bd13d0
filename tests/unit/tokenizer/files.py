"""Tokenizer files that the tests change, and how."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from xinference_internvl2.errors import CheckpointError

SHARED = Path(__file__).resolve().parents[4] / "shared" / "reference"


KINDS = ("qwen2", "internlm2", "phi3", "yi", "llama3")


LEGACY = "phi3-legacy"  # the Llama class with a space before every run of text


HUB = ("InternVL2-1B", "InternVL2-2B")


GOLDENS = ("internlm2_2b", "internlm2_w_awq", "phi3_4b")


TURN = "<|im_start|>user\n"


CONTEXT = "<IMG_CONTEXT>"


def edit_config(directory: Path, **values: object) -> None:
    path = directory / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | values), encoding="utf-8")


def edit_json(file: str, change: Callable[[dict], object]):
    def edit(directory: Path) -> None:
        path = directory / file
        values = json.loads(path.read_text(encoding="utf-8"))
        change(values)
        path.write_text(json.dumps(values), encoding="utf-8")

    return edit


def cut(file: str, size: int):
    def change(directory: Path) -> None:
        path = directory / file
        path.write_bytes(path.read_bytes()[:size])

    return change


def replace(file: str, data: bytes):
    return lambda directory: (directory / file).write_bytes(data)


def remove(*files: str):
    return lambda directory: [(directory / file).unlink() for file in files]


def without(token: str):
    def change(directory: Path) -> None:
        text = (directory / "tokenizer_config.json").read_text(encoding="utf-8")
        decoder = json.loads(text)["added_tokens_decoder"]
        kept = {i: entry for i, entry in decoder.items() if entry["content"] != token}
        edit_config(directory, added_tokens_decoder=kept)

    return change


def append(data: bytes):
    def change(directory: Path) -> None:
        path = directory / "tokenizer.model"
        path.write_bytes(path.read_bytes() + data)

    return change


def config(**values: object):
    return lambda directory: edit_config(directory, **values)


def decoder(entry: object, index: object = "3") -> dict[str, object]:
    return {"added_tokens_decoder": {index: entry}}


def legacy(values: object):
    """`added_tokens.json` in place of the field of `tokenizer_config.json`."""

    def change(directory: Path) -> None:
        edit_config(directory, added_tokens_decoder=None)
        (directory / "added_tokens.json").write_text(json.dumps(values), encoding="utf-8")

    return change


def piece(text: str, kind: int) -> bytes:
    """One more piece of a SentencePiece model, in protobuf's wire format."""

    def sized(data: bytes) -> bytes:
        return bytes([len(data) & 127 | 128, len(data) >> 7]) + data

    return b"\x0a" + sized(b"\x0a" + sized(text.encode()) + bytes([0x18, kind]))


def refusal(call: Callable[[], object]) -> str:
    """The one sentence with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as error:
        call()
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 700
    return message
