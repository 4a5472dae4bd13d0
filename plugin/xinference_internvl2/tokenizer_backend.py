"""Builds the `tokenizers.Tokenizer` of a checkpoint from the files that lie in its directory.

The files alone decide how: a class name or code that `tokenizer_config.json` asks for is not
looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from .config import read_json
from .errors import CheckpointError
from .sentencepiece_model import USER_DEFINED, SentencePieceModel, rank_merges

_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Qwen2 cuts text before it looks for merges."""

_LIKE_CONTROL = re.compile(r"<.+>")
"""User-defined pieces that no text of a user may become, though no file calls them special."""


def from_sentencepiece(
    model: SentencePieceModel, added: dict[int, AddedToken], *, prefixed: bool
) -> Tokenizer:
    """A BPE that encodes like `model`, except that the prefix space is left to the caller.

    Args:
        model: pieces; the placeholder pieces whose ids `added` takes over lose their own text.
        added: control tokens by id.
        prefixed: whether decoding drops one leading space.
    """
    vocab = {text: index for index, text in enumerate(model.texts) if index not in added}
    vocab |= {token.content: index for index, token in added.items()}
    tokenizer = Tokenizer(models.BPE(vocab, rank_merges(model, added), byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    strip = [decoders.Strip(" ", 1, 0)] if prefixed else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    # User-defined pieces are never joined with a neighbour, which is what an added token is.
    for index in model.ids_of(USER_DEFINED):
        text = model.texts[index]
        if index not in added:
            control = _LIKE_CONTROL.fullmatch(text) is not None
            tokenizer.add_tokens([AddedToken(text, normalized=False, special=control)])
    return tokenizer


def from_vocab_and_merges(directory: Path) -> Tokenizer:
    """The byte-level BPE of Qwen2, from `vocab.json` and `merges.txt`.

    Raises:
        CheckpointError: the files are damaged or do not fit each other.
    """
    vocab, merges = directory / "vocab.json", directory / "merges.txt"
    try:
        tokenizer = Tokenizer(models.BPE.from_file(str(vocab), str(merges)))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(
            f"{vocab} and {merges.name} are damaged or do not belong together ({error}); "
            "download both again"
        ) from None
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN2_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def from_tokenizer_json(path: Path) -> Tokenizer:
    """The tokenizer that `tokenizer.json` describes; all its added tokens are control tokens.

    Raises:
        CheckpointError: the file is damaged.
    """
    values = read_json(path)
    try:
        for token in values["added_tokens"]:
            token["special"] = True
        tokenizer = Tokenizer.from_str(json.dumps(values))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(
            f"{path} does not describe a tokenizer ({error}); download it again"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def add_control_tokens(tokenizer: Tokenizer, added: dict[int, AddedToken], source: Path) -> None:
    """Give each control token its id.

    Raises:
        CheckpointError: an id that the vocabulary cannot give; `source` is named.
    """
    for index, token in sorted(added.items()):
        tokenizer.add_special_tokens([token])
        found = tokenizer.token_to_id(token.content)
        if found != index:
            raise CheckpointError(
                f"{source}: {token.content} has the id {index}, but the vocabulary gives it "
                f"{found}; download all tokenizer files again"
            )


def prepend_token(tokenizer: Tokenizer, token: str) -> None:
    """Make every encoded text start with the control token `token`."""
    tokenizer.post_processor = TemplateProcessing(
        single=f"{token} $A",
        pair=f"{token} $A {token} $B",
        special_tokens=[(token, tokenizer.token_to_id(token))],
    )


def without_control_tokens(tokenizer: Tokenizer, controls: Collection[str]) -> Tokenizer:
    """A twin that shares vocabulary and merges but reads the texts `controls` as plain text."""
    twin = Tokenizer(tokenizer.model)
    # The setters refuse None.
    if tokenizer.normalizer is not None:
        twin.normalizer = tokenizer.normalizer
    if tokenizer.pre_tokenizer is not None:
        twin.pre_tokenizer = tokenizer.pre_tokenizer
    known = tokenizer.get_added_tokens_decoder()
    twin.add_tokens([token for _, token in sorted(known.items()) if token.content not in controls])
    return twin
