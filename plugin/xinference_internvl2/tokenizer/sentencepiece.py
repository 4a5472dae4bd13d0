"""Reads `tokenizer.model`, the protobuf of a SentencePiece BPE, and builds its `Tokenizer`.

The few fields needed are read straight from the wire format: the `sentencepiece` and `protobuf`
packages refuse each other in many version pairs, and neither is needed to encode text.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from ..checkpoint.json_files import read_bytes
from ..errors import CheckpointError
from .token_kinds import is_control_piece

MAX_BYTES = 8 * 1024 * 1024
MAX_PIECE = 256
"""Characters of a piece: ranking merges costs their square, and the longest published has 128."""
MAX_USER_DEFINED = 4096
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of a piece, as the format numbers them."""

_MODEL_PIECES, _MODEL_TRAINER, _MODEL_NORMALIZER = 1, 2, 3
_PIECE_TEXT, _PIECE_SCORE, _PIECE_TYPE = 1, 2, 3
_TRAINER_MODEL_TYPE, _TRAINER_SUFFIX_SPACES = 3, 24
_NORMALIZER_RULES, _NORMALIZER_PREFIX, _NORMALIZER_STRIP, _NORMALIZER_ESCAPE = 2, 3, 4, 5
_BPE = 2
_VARINT, _LENGTH = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}


@dataclass(frozen=True, slots=True)
class SentencePieceModel:
    """The pieces of a byte-fallback BPE; the index in each list is the token id."""

    texts: list[str]
    scores: list[float]
    types: list[int]
    add_dummy_prefix: bool

    def ids_of(self, kind: int) -> list[int]:
        """Return the ids of the pieces of one type."""
        return [index for index, found in enumerate(self.types) if found == kind]


def read_sentencepiece(path: Path) -> SentencePieceModel:
    """Read the SentencePiece model at `path`.

    Raises:
        CheckpointError: it is missing, damaged, or of a kind that no InternVL2 checkpoint has
            (not BPE, no byte fallback, or a normalizer that changes the text).
    """
    data = read_bytes(path, MAX_BYTES)
    try:
        model, trainer, normalizer = _parse(data)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error):
        raise CheckpointError(
            f"{path} is damaged or not a SentencePiece model; download it again"
        ) from None
    problem = _find_unsupported(model, trainer, normalizer)
    if problem:
        raise CheckpointError(f"{path} {problem}; use the tokenizer of the original checkpoint")
    return model


def from_sentencepiece(
    model: SentencePieceModel, added: dict[int, AddedToken], *, has_prefix: bool
) -> Tokenizer:
    """Return a BPE that encodes like `model`, except that the caller adds the prefix space.

    Args:
        model: whose placeholder pieces give their ids to tokens of `added`.
        added: the added tokens by id.
        has_prefix: whether decoding drops one leading space.
    """
    vocab = {text: index for index, text in enumerate(model.texts) if index not in added}
    # A normal piece with the text of an added token keeps its id, by which `add_to_backend` refuses
    # both: its merges would make the token of plain letters. Other pieces have no merges.
    merged = {model.texts[index] for index in model.ids_of(NORMAL) if index not in added}
    vocab |= {each.content: index for index, each in added.items() if each.content not in merged}
    tokenizer = Tokenizer(models.BPE(vocab, rank_merges(model, added), byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    strip = [decoders.Strip(" ", 1, 0)] if has_prefix else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    # User-defined pieces are never joined with a neighbour, which is what an added token is.
    own = [model.texts[index] for index in model.ids_of(USER_DEFINED) if index not in added]
    tokenizer.add_tokens(
        [AddedToken(t, normalized=False, special=is_control_piece(t)) for t in own]
    )
    return tokenizer


def rank_merges(model: SentencePieceModel, taken: Container[int] = ()) -> list[tuple[str, str]]:
    """Return all pairs of pieces that join to a third, in the order in which BPE has to try them.

    Pieces whose ids are `taken` by other tokens are left out.

    SentencePiece joins the neighbours whose union scores best. A list of merges cannot say that
    two ways to one union rank the same; no text is known in which their order matters.
    """
    normal = [index for index in model.ids_of(NORMAL) if index not in taken]
    pieces = {model.texts[index]: model.scores[index] for index in normal}
    longer = [text for text in pieces if len(text) > 1]
    merges: list[tuple[str, str]] = []
    for text in sorted(longer, key=pieces.__getitem__, reverse=True):
        cuts = [i for i in range(1, len(text)) if text[:i] in pieces and text[i:] in pieces]
        merges += [(text[:cut], text[cut:]) for cut in cuts]
    return merges


def _parse(data: bytes) -> tuple[SentencePieceModel, dict[int, Any], dict[int, Any]]:
    texts: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    specs: dict[int, dict[int, Any]] = {_MODEL_TRAINER: {}, _MODEL_NORMALIZER: {}}
    for number, value in _parse_fields(data):
        if number == _MODEL_PIECES:
            piece = dict(_parse_fields(value))
            texts.append(piece[_PIECE_TEXT].decode("utf-8"))
            scores.append(struct.unpack("<f", piece.get(_PIECE_SCORE, b"\0\0\0\0"))[0])
            types.append(piece.get(_PIECE_TYPE, NORMAL))
        elif number in specs:
            specs[number].update(_parse_fields(value))
    if not all(specs.values()):  # both follow the pieces, so the end of the file is missing
        raise ValueError("truncated")
    normalizer = specs[_MODEL_NORMALIZER]
    prefix = bool(normalizer.get(_NORMALIZER_PREFIX, True))
    return SentencePieceModel(texts, scores, types, prefix), specs[_MODEL_TRAINER], normalizer


def _find_unsupported(
    model: SentencePieceModel, trainer: dict[int, Any], normalizer: dict[int, Any]
) -> str | None:
    """Describe what keeps the model from being rebuilt exactly; None if nothing does."""
    if len(set(model.texts)) != len(model.texts) or not model.texts:
        return "has no pieces or a piece twice"
    if max(map(len, model.texts)) > MAX_PIECE:
        return f"has a piece of more than {MAX_PIECE} characters"
    if len(model.ids_of(USER_DEFINED)) > MAX_USER_DEFINED:
        return f"has more than {MAX_USER_DEFINED} user-defined pieces"
    if trainer.get(_TRAINER_MODEL_TYPE) != _BPE:
        return "is not a BPE model"
    if len(model.ids_of(BYTE)) != 256 or model.ids_of(UNUSED):
        return "has no byte fallback, or has unused pieces"
    if normalizer.get(_NORMALIZER_RULES) or normalizer.get(_NORMALIZER_STRIP, True):
        return "normalizes the text, which the family's own models do not"
    if not normalizer.get(_NORMALIZER_ESCAPE, True) or trainer.get(_TRAINER_SUFFIX_SPACES):
        return "treats spaces in a way the family's own models do not"
    return None


def _parse_fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field of a message: int for a varint, bytes for all others."""
    position, end = 0, len(data)
    while position < end:
        key, position = _parse_varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _parse_varint(data, position)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, position = _parse_varint(data, position)
        else:
            size = _FIXED_SIZES[kind]
        position += size
        if position > end:
            raise ValueError("truncated")
        yield key >> 3, data[position - size : position]


def _parse_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at `position`, and the position after it."""
    value = data[position]
    position += 1
    if value < 128:
        return value, position
    value &= 127
    for shift in range(7, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("varint too long")
