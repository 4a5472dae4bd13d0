"""Tokenizer models that have given words as whole pieces, byte-level or SentencePiece.

Both hold every beginning of every word, and every way to join two pieces into a third, so that
joining neighbours in any order ends at the whole word: its first piece can always grow.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

_SPACE = "▁"
_UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 2, 3, 4, 6  # types of a piece; 1 is a normal one
_BPE = 2


def _beginnings(words: Iterable[str]) -> list[str]:
    """Every beginning of every word that is longer than one character, shortest first."""
    found = {word[:end] for word in words for end in range(2, len(word) + 1)}
    return sorted(found, key=lambda text: (len(text), text))


def byte_level_model(words: Sequence[str], *, ignore_merges: bool) -> Any:
    """Return the BPE model of a byte-level tokenizer."""
    from tokenizers import models, pre_tokenizers

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)

    def as_bytes(text: str) -> str:
        return str(byte_level.pre_tokenize_str(text)[0][0])

    characters = [as_bytes(c) for c in sorted(set("".join(words)))]
    longer = [*_beginnings(characters), *map(as_bytes, _beginnings(words))]
    texts = [*sorted(byte_level.alphabet()), *dict.fromkeys(longer)]
    vocab = {text: index for index, text in enumerate(texts)}
    merges = [
        (text[:cut], text[cut:])
        for text in texts
        for cut in range(1, len(text))
        if text[:cut] in vocab and text[cut:] in vocab
    ]
    return models.BPE(vocab, merges, ignore_merges=ignore_merges)


def sentencepiece_model(
    words: Sequence[str],
    *,
    add_dummy_prefix: bool,
    bos_piece: str = "<s>",
    eos_piece: str = "</s>",
    user_defined_symbols: Sequence[str] = (),
) -> tuple[bytes, int]:
    """Return a ``tokenizer.model`` and the number of its pieces: a BPE with byte fallback that
    leaves the text as it is."""
    words = [word.replace(" ", _SPACE) for word in words if word != "\n"]
    normal = [*sorted({_SPACE, *"".join(words)}), *_beginnings(words)]
    pieces = [
        _piece("<unk>", 0.0, _UNKNOWN),
        *(_piece(text, 0.0, _CONTROL) for text in (bos_piece, eos_piece)),
        *(_piece(text, 0.0, _USER_DEFINED) for text in user_defined_symbols),
        *(_piece(f"<0x{byte:02X}>", 0.0, _BYTE) for byte in range(256)),
        *(_piece(text, -float(rank)) for rank, text in enumerate(normal)),
    ]
    trainer = _number(3, _BPE) + _number(35, True)  # model_type, byte_fallback
    normalizer = _text(1, b"identity") + _number(3, add_dummy_prefix)
    normalizer += _number(4, False) + _number(5, True)  # remove_extra_whitespaces, escape
    return b"".join([*pieces, _text(2, trainer), _text(3, normalizer)]), len(pieces)


def _piece(text: str, score: float, kind: int = 1) -> bytes:
    value = _text(1, text.encode()) + b"\x15" + struct.pack("<f", score) + _number(3, kind)
    return _text(1, value)


def _number(field: int, value: int) -> bytes:
    """A field of protobuf's wire format that holds a number below 128."""
    return _varint(field << 3) + bytes([value])


def _text(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])
