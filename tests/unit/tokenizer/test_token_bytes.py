"""The bytes of tokens that are a part of a character, or of none."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.unit.tokenizer.files import LEGACY
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer


@pytest.mark.parametrize("kind", ["phi3", LEGACY, "yi"])
def test_every_byte_has_a_token(directories, kind: str) -> None:
    tokenizer = load_tokenizer(directories[kind])
    ids = [tokenizer.convert_tokens_to_ids(f"<0x{byte:02X}>") for byte in range(256)]
    assert [tokenizer.token_bytes(index) for index in ids] == [bytes([b]) for b in range(256)]
    word = tokenizer("red", add_special_tokens=False).input_ids
    assert tokenizer.decode([*word, ids[0x80], ids[0xFF]]) == "red\ufffd\ufffd"
    assert tokenizer.decode([*word, *[ids[byte] for byte in "é".encode()], ids[0]]) == "redé\0"
