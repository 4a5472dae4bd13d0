"""Reads `tokenizer.json` and builds the `tokenizers.Tokenizer` that it describes.

Only components that checkpoints of the family have are accepted: others can make the library crash,
take for ever or multiply a text, or they encode a text differently from the published tokenizer.
Merges that would make an added token of the plain letters of a text are refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from ..checkpoint.json_files import read_json
from ..errors import CheckpointError
from .damaged_file import quote
from .vocab_and_merges import MAX_BYTES, QWEN2_WORDS

LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 splits text, which keeps up to three digits together."""

_KNOWN_SPLITS = [
    {"type": "Split", "pattern": {"Regex": words}, "behavior": "Isolated", "invert": False}
    for words in (QWEN2_WORDS, LLAMA3_WORDS)
]
"""The accepted regular expressions: another one could take for ever."""

_SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
"""The normalizer that `InternVL2Tokenizer` saves for a SentencePiece model; it adds the prefix
space itself. The one that transformers saves adds a space before each run of text."""
_UNSPACED = [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
]
_STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}

_MAX_TEMPLATE = 8
_COMPONENTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder", "model")


def read_tokenizer_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in `tokenizer.json`.

    Raises:
        CheckpointError: as for `read_json`, or it is no object.
    """
    values = read_json(path, MAX_BYTES)
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{path} does not describe a tokenizer, being no JSON object; download it again"
        )
    return values


def from_tokenizer_json(
    values: dict[str, Any], added: dict[int, AddedToken], path: Path
) -> Tokenizer:
    """Return the tokenizer that `tokenizer.json` describes, without its added tokens.

    Args:
        values: the content of the file.
        added: all added tokens by id, to which the file may refer.
        path: of the file, for messages.

    Raises:
        CheckpointError: the file is damaged, or has a component that no checkpoint of the family
            has.
    """
    unknown = _find_unknown_component(values, added)
    if unknown:
        raise CheckpointError(
            f"{path}: {unknown}; use the tokenizer files of the original checkpoint "
            "(tokenizer.model or vocab.json, tokenizer_config.json, added_tokens.json)"
        )
    values = values | {"added_tokens": [], "truncation": None, "padding": None}
    try:
        return Tokenizer.from_str(json.dumps(values))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(
            f"{path} does not describe a tokenizer ({error!s:.200}); download it again"
        ) from None


def _find_unknown_component(values: dict[str, Any], added: dict[int, AddedToken]) -> str | None:
    """Describe the first component that no checkpoint of the family has; None if there is none."""
    found = {name: values.get(name) for name in _COMPONENTS}
    model = found["model"] if isinstance(found["model"], dict) else {}
    vocab = model.get("vocab")
    ids = dict(vocab) if isinstance(vocab, dict) else {}
    ids |= {token.content: index for index, token in added.items()}
    spaced = model.get("byte_fallback") is True
    known = {
        "normalizer": found["normalizer"] in ((_SPACES,) if spaced else (None, {"type": "NFC"})),
        "pre_tokenizer": _is_known_pre_tokenizer(found["pre_tokenizer"], spaced),
        "post_processor": _is_known_post_processor(found["post_processor"], ids),
        "decoder": _is_known_decoder(found["decoder"], spaced),
        "model": _type(model) == "BPE" and not model.get("dropout"),
    }
    if model:  # too long for a message
        found["model"] = {key: model[key] for key in model if key not in ("vocab", "merges")}
    for name, fine in known.items():
        if not fine:
            return f"the {name} is {quote(found[name])}, which no InternVL2 checkpoint has"
    merged = _find_merged_tokens(model.get("merges"), {token.content for token in added.values()})
    return f"it merges letters of a text to the token {quote(merged[0])}" if merged else None


def _find_merged_tokens(merges: Any, tokens: set[str]) -> list[str]:
    """Return the added `tokens` that a merge would make of the plain letters of a text."""
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in merges or ()]
    texts = ["".join(pair) for pair in pairs if all(isinstance(piece, str) for piece in pair)]
    return [text for text in texts if text in tokens]


def _type(component: Any) -> Any:
    return component.get("type") if isinstance(component, dict) else None


def _list_steps(component: Any, key: str) -> list[Any]:
    """Return the parts of a `Sequence`, or the component itself as its only part."""
    if _type(component) != "Sequence":
        return [component]
    steps = component.get(key)
    return steps if isinstance(steps, list) and 0 < len(steps) <= 2 else [component]


def _is_known_decoder(component: Any, spaced: bool) -> bool:
    if not spaced:
        return bool(_type(component) == "ByteLevel")
    steps = component.get("decoders") if _type(component) == "Sequence" else None
    return steps in (_UNSPACED, [*_UNSPACED, _STRIP])


def _is_known_pre_tokenizer(component: Any, spaced: bool) -> bool:
    if spaced:
        return component is None
    *splits, last = _list_steps(component, "pretokenizers")
    known = all(split in _KNOWN_SPLITS for split in splits)
    return known and _type(last) == "ByteLevel" and last.get("add_prefix_space") is False


def _is_known_post_processor(component: Any, ids: Mapping[str, Any]) -> bool:
    return component is None or all(
        _type(step) == "ByteLevel" or _is_known_template(step, ids)
        for step in _list_steps(component, "processors")
    )


def _is_known_template(component: Any, ids: Mapping[str, Any]) -> bool:
    """Whether a template only puts control tokens, with their own ids, before a text."""
    if _type(component) != "TemplateProcessing":
        return False
    try:
        single = [_parse_piece(piece) for piece in component["single"]]
        pair = [_parse_piece(piece) for piece in component["pair"]]
        tokens = component["special_tokens"]
        named = [name for kind, name in single + pair if kind == "SpecialToken"]
        exact = all(
            tokens[name]["ids"] == [ids[text] for text in tokens[name]["tokens"]]
            and len(tokens[name]["tokens"]) == 1
            for name in {*tokens, *named}
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    texts = [name for kind, name in pair if kind == "Sequence"]
    starts = all(kind == "SpecialToken" for kind, _ in single[:-1])
    short = len(single) <= _MAX_TEMPLATE and len(pair) <= 2 * _MAX_TEMPLATE
    return exact and short and starts and single[-1:] == [("Sequence", "A")] and texts == ["A", "B"]


def _parse_piece(piece: dict[str, Any]) -> tuple[str, str]:
    """Return kind and name of one part of a template."""
    ((kind, value),) = piece.items()
    return kind, value["id"]
