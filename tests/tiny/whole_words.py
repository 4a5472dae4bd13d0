"""Tokenizer models that have given words as whole pieces, byte-level or SentencePiece.

Both hold every prefix of every word, and every way to join two pieces into a third, so that
joining neighbours in any order ends at the whole word: its first piece can always grow.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

_SPACE = "▁"
_NORMAL, _UNKNOWN, _CONTROL, USER_DEFINED, _BYTE = 1, 2, 3, 4, 6  # types of a piece
_BPE = 2


def _list_prefixes(words: Iterable[str]) -> list[str]:
    """Return every prefix of every word that is longer than one character, shortest first."""
    found = {word[:end] for word in words for end in range(2, len(word) + 1)}
    return sorted(found, key=lambda text: (len(text), text))


def make_byte_level_model(words: Sequence[str], *, ignore_merges: bool) -> Any:
    """Return the BPE model of a byte-level tokenizer."""
    from tokenizers import models, pre_tokenizers

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)

    def as_bytes(text: str) -> str:
        return str(byte_level.pre_tokenize_str(text)[0][0])

    characters = [as_bytes(c) for c in sorted(set("".join(words)))]
    longer = [*_list_prefixes(characters), *map(as_bytes, _list_prefixes(words))]
    texts = [*sorted(byte_level.alphabet()), *dict.fromkeys(longer)]
    vocab = {text: index for index, text in enumerate(texts)}
    merges = [
        (text[:cut], text[cut:])
        for text in texts
        for cut in range(1, len(text))
        if text[:cut] in vocab and text[cut:] in vocab
    ]
    return models.BPE(vocab, merges, ignore_merges=ignore_merges)


def make_sentencepiece_model(
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
    normal = [*sorted({_SPACE, *"".join(words)}), *_list_prefixes(words)]
    pieces = [
        encode_piece("<unk>", 0.0, _UNKNOWN),
        *(encode_piece(text, 0.0, _CONTROL) for text in (bos_piece, eos_piece)),
        *(encode_piece(text, 0.0, USER_DEFINED) for text in user_defined_symbols),
        *(encode_piece(f"<0x{byte:02X}>", 0.0, _BYTE) for byte in range(256)),
        *(encode_piece(text, -float(rank)) for rank, text in enumerate(normal)),
    ]
    model_type, byte_fallback = _encode_number(3, _BPE), _encode_number(35, True)
    name, dummy_prefix = _encode_bytes(1, b"identity"), _encode_number(3, add_dummy_prefix)
    remove_extra_whitespaces, escape = _encode_number(4, False), _encode_number(5, True)
    trainer = _encode_bytes(2, model_type + byte_fallback)
    normalizer = _encode_bytes(3, name + dummy_prefix + remove_extra_whitespaces + escape)
    return b"".join([*pieces, trainer, normalizer]), len(pieces)


def encode_piece(text: str, score: float, kind: int = _NORMAL) -> bytes:
    """Return a piece of a SentencePiece model in protobuf's wire format."""
    fields = _encode_bytes(1, text.encode()), b"\x15" + struct.pack("<f", score)
    return _encode_bytes(1, b"".join(fields) + _encode_number(3, kind))


def _encode_number(field: int, value: int) -> bytes:
    """Return a field of protobuf's wire format that holds a number below 128."""
    return _encode_varint(field << 3) + bytes([value])


def _encode_bytes(field: int, value: bytes) -> bytes:
    return _encode_varint(field << 3 | 2) + _encode_varint(len(value)) + value


def _encode_varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _encode_varint(rest) if rest else bytes([low])
