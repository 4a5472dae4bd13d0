"""Builds the `tokenizers.Tokenizer` of a checkpoint from the files that lie in its directory.

Which files there are decides the kind of tokenizer. A class or code that `tokenizer_config.json`
names is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from ..checkpoint.json_files import read_bytes, read_object
from ..errors import CheckpointError
from .sentencepiece import USER_DEFINED, SentencePieceModel, rank_merges
from .token_kinds import is_control_piece

QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2 splits text before it applies merges."""

LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The same for Llama 3, which keeps up to three digits together."""

MAX_BYTES = 32 * 1024 * 1024
"""Of a file with a vocabulary; the largest published one has 9 MB."""
MAX_MERGES = 1 << 20
"""Lines of `merges.txt`; the published one has 151,292."""


def from_sentencepiece(
    model: SentencePieceModel, added: dict[int, AddedToken], *, has_prefix: bool
) -> Tokenizer:
    """Return a BPE that encodes like `model`, except that the caller adds the prefix space.

    Args:
        model: whose placeholder pieces give their ids to tokens of `added`.
        added: the added tokens by id.
        prefixed: whether decoding drops one leading space.
    """
    vocab = {text: index for index, text in enumerate(model.texts) if index not in added}
    vocab |= {token.content: index for index, token in added.items()}
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


def from_vocab_and_merges(directory: Path) -> Tokenizer:
    """Return the byte-level BPE of Qwen2, from `vocab.json` and `merges.txt`.

    Raises:
        CheckpointError: the files are damaged or do not fit each other.
    """
    vocab, merges = directory / "vocab.json", directory / "merges.txt"
    ids, lines = read_object(vocab, MAX_BYTES), read_bytes(merges, MAX_BYTES)
    if lines.count(b"\n") > MAX_MERGES:
        raise CheckpointError(f"{merges} has more than {MAX_MERGES} lines; download it again")
    try:
        tokenizer = Tokenizer(models.BPE(ids, _parse_merges(lines)))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(
            f"{vocab} and {merges.name} are damaged or do not belong together "
            f"({error!s:.200}); download both again"
        ) from None
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _parse_merges(lines: bytes) -> list[tuple[str, str]]:
    """Return the merges of `merges.txt`: two pieces a line, after a line with the version."""
    found: list[tuple[str, str]] = []
    for line in lines.decode("utf-8").rstrip("\n").split("\n"):
        if not line.startswith("#version"):
            left, right = line.rstrip("\r").split(" ")
            found.append((left, right))
    return found


def add_tokens(tokenizer: Tokenizer, added: dict[int, AddedToken], directory: Path) -> None:
    """Add the tokens to the vocabulary, each with its id.

    Raises:
        CheckpointError: the vocabulary gives a token another id; the message names `directory`.
    """
    # In the order of ids, since a new token gets the next free one.
    tokenizer.add_tokens([token for _, token in sorted(added.items())])
    for index, token in sorted(added.items()):
        found = tokenizer.token_to_id(token.content)
        if found != index:
            raise CheckpointError(
                f"{directory}: the token {quote(token.content)} has the id {index}, but the "
                f"vocabulary gives it {found}; download all tokenizer files again"
            )


def prepend_token(tokenizer: Tokenizer, token: str) -> None:
    """Make every encoded text start with the control token `token`."""
    start = {"id": "start", "ids": [tokenizer.token_to_id(token)], "tokens": [token]}
    tokenizer.post_processor = TemplateProcessing(
        single="start $A", pair="start $A start $B", special_tokens=[start]
    )


@contextmanager
def translate_panics(error: Exception) -> Iterator[None]:
    """Raise `error` where the Rust library panics, which `except Exception` does not catch."""
    try:
        yield
    except BaseException as panic:
        kind = type(panic)
        if (kind.__module__, kind.__name__) != ("pyo3_runtime", "PanicException"):
            raise
        raise error from None


def quote(value: Any) -> str:
    """Return a JSON value for a message in ASCII, cut after 200 characters."""
    try:
        text = json.dumps(value)
    except RecursionError:
        text = "deeply nested"
    return text if len(text) <= 200 else text[:200] + "…"
