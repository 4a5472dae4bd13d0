"""Numbers of a SentencePiece file, at the lengths at which they take one byte more."""

from __future__ import annotations

import pytest

from xinference_internvl2.tokenizer.sentencepiece import _parse_varint

NUMBERS = [
    (0, b"\0"),
    (127, b"\x7f"),
    (128, b"\x80\x01"),
    (16_383, b"\xff\x7f"),
    (16_384, b"\x80\x80\x01"),
    ((1 << 63) - 1, b"\xff" * 8 + b"\x7f"),
    (1 << 63, b"\x80" * 9 + b"\x01"),
]


@pytest.mark.parametrize(("number", "data"), NUMBERS)
def test_a_number_and_where_it_ends(number: int, data: bytes) -> None:
    assert _parse_varint(b"?" + data + b"?", 1) == (number, 1 + len(data))


def test_a_number_has_ten_bytes_at_most() -> None:
    with pytest.raises(ValueError, match="varint too long"):
        _parse_varint(b"\x80" * 10 + b"\x01", 0)
