"""Builds the `tokenizers.Tokenizer` of a checkpoint from the files that lie in its directory.

The files alone decide how: a class name or code that `tokenizer_config.json` asks for is not
looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from ..errors import CheckpointError
from .sentencepiece import USER_DEFINED, SentencePieceModel, rank_merges

_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Qwen2 cuts text before it looks for merges."""

_LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The same for Llama 3, which keeps up to three digits together."""

_KNOWN_SPLITS = [
    {"type": "Split", "pattern": {"Regex": words}, "behavior": "Isolated", "invert": False}
    for words in (_QWEN2_WORDS, _LLAMA3_WORDS)
]
"""A pattern of somebody else's could take forever."""

_MAX_TEMPLATE = 8
_COMPONENTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder", "model")

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
    own = [model.texts[index] for index in model.ids_of(USER_DEFINED) if index not in added]
    tokenizer.add_tokens(
        [AddedToken(t, normalized=False, special=bool(_LIKE_CONTROL.fullmatch(t))) for t in own]
    )
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
            f"{vocab} and {merges.name} are damaged or do not belong together "
            f"({_one_line(error)}); "
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


def from_tokenizer_json(
    values: dict[str, Any], added: dict[int, AddedToken], path: Path
) -> Tokenizer:
    """The tokenizer that `tokenizer.json` describes, without its added tokens.

    Args:
        values: what the file says.
        added: all control tokens by id, which the file may refer to.
        path: of the file, for messages.

    Raises:
        CheckpointError: the file is damaged, or has a component that no checkpoint of the family
            has: some make the library crash, take forever, or multiply a text.
    """
    unknown = _unknown_component(values, added)
    if unknown:
        raise CheckpointError(f"{path}: {unknown}; use the file of the original checkpoint")
    values = values | {"added_tokens": [], "truncation": None, "padding": None}
    try:
        return Tokenizer.from_str(json.dumps(values))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(
            f"{path} does not describe a tokenizer ({_one_line(error)}); download it again"
        ) from None


def add_control_tokens(tokenizer: Tokenizer, added: dict[int, AddedToken], directory: Path) -> None:
    """Give each control token its id.

    Raises:
        CheckpointError: an id that the vocabulary cannot give; `directory` is named.
    """
    tokenizer.add_special_tokens([token for _, token in sorted(added.items())])
    for index, token in sorted(added.items()):
        found = tokenizer.token_to_id(token.content)
        if found != index:
            raise CheckpointError(
                f"{directory}: the token {shown(token.content)} has the id {index}, but the "
                f"vocabulary gives it {found}; download all tokenizer files again"
            )


def prepend_token(tokenizer: Tokenizer, token: str) -> None:
    """Make every encoded text start with the control token `token`."""
    start = {"id": "start", "ids": [tokenizer.token_to_id(token)], "tokens": [token]}
    tokenizer.post_processor = TemplateProcessing(
        single="start $A", pair="start $A start $B", special_tokens=[start]
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


@contextmanager
def panics_as(error: Exception) -> Iterator[None]:
    """Raise `error` where the Rust library panics, which no `except Exception` would catch."""
    try:
        yield
    except BaseException as panic:
        kind = type(panic)
        if (kind.__module__, kind.__name__) != ("pyo3_runtime", "PanicException"):
            raise
        raise error from None


def shown(value: Any) -> str:
    """A JSON value for a message: short, one line, and printable whatever it holds."""
    try:
        text = json.dumps(value)
    except RecursionError:
        text = "deeply nested"
    return text if len(text) <= 200 else text[:200] + "…"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _unknown_component(values: dict[str, Any], added: dict[int, AddedToken]) -> str | None:
    """What is wrong with the first component that no checkpoint of the family has, or None."""
    found = {name: values.get(name) for name in _COMPONENTS}
    model = found["model"] if isinstance(found["model"], dict) else {}
    vocab = model.get("vocab")
    ids = dict(vocab) if isinstance(vocab, dict) else {}
    ids |= {token.content: index for index, token in added.items()}
    known = {
        "normalizer": found["normalizer"] in (None, {"type": "NFC"}),
        "pre_tokenizer": _is_known_pre_tokenizer(found["pre_tokenizer"]),
        "post_processor": _is_known_post_processor(found["post_processor"], ids),
        "decoder": _type(found["decoder"]) == "ByteLevel",
        "model": _type(model) == "BPE" and not model.get("dropout"),
    }
    if model:  # too long for a message
        found["model"] = {key: model[key] for key in model if key not in ("vocab", "merges")}
    for name, fine in known.items():
        if not fine:
            return f"the {name} is {shown(found[name])}, which no InternVL2 checkpoint has"
    return None


def _type(component: Any) -> Any:
    return component.get("type") if isinstance(component, dict) else None


def _steps(component: Any, key: str) -> list[Any]:
    """The parts of a `Sequence`, or the component itself as its only part."""
    if _type(component) != "Sequence":
        return [component]
    steps = component.get(key)
    return steps if isinstance(steps, list) and 0 < len(steps) <= 2 else [component]


def _is_known_pre_tokenizer(component: Any) -> bool:
    *splits, last = _steps(component, "pretokenizers")
    known = all(split in _KNOWN_SPLITS for split in splits)
    return known and _type(last) == "ByteLevel" and last.get("add_prefix_space") is False


def _is_known_post_processor(component: Any, ids: Mapping[str, Any]) -> bool:
    return component is None or all(
        _type(step) == "ByteLevel" or _is_known_template(step, ids)
        for step in _steps(component, "processors")
    )


def _is_known_template(component: Any, ids: Mapping[str, Any]) -> bool:
    """Whether it puts control tokens, with their own ids, before a text that it keeps once."""
    if _type(component) != "TemplateProcessing":
        return False
    try:
        single = [_piece(piece) for piece in component["single"]]
        pair = [_piece(piece) for piece in component["pair"]]
        tokens = component["special_tokens"]
        named = [name for kind, name in single + pair if kind == "SpecialToken"]
        exact = all(
            (tokens[name]["ids"], tokens[name]["tokens"]) == ([ids[name]], [name])
            for name in {*tokens, *named}
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    texts = [name for kind, name in pair if kind == "Sequence"]
    starts = all(kind == "SpecialToken" for kind, _ in single[:-1])
    short = len(single) <= _MAX_TEMPLATE and len(pair) <= 2 * _MAX_TEMPLATE
    return exact and short and starts and single[-1:] == [("Sequence", "A")] and texts == ["A", "B"]


def _piece(piece: dict[str, Any]) -> tuple[str, str]:
    """Kind and name of one part of a template."""
    ((kind, value),) = piece.items()
    return kind, value["id"]
