"""Reads the options of a request that name tokens of the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .option_conflicts import check_tokens_left


def read_token_options(
    options: Mapping[str, Any], tokenizer: InternVL2Tokenizer, vocabulary: int
) -> dict[str, Any]:
    """Return the fields of `SamplingParams` that depend on the vocabulary.

    Args:
        options: as `read_options` returns them.
        vocabulary: how many tokens the model has.

    Raises:
        RequestError: the vocabulary lacks a token, or the options exclude every token.
    """
    for name in ("stop_token_ids", "allowed_token_ids", "logit_bias"):
        for token in options.get(name, ()):
            if token >= vocabulary:
                raise RequestError(
                    f"{name}: the vocabulary of this model has no token {token}; give one below "
                    f"{vocabulary}"
                )
    allowed, words = options.get("allowed_token_ids", ()), options.get("bad_words", ())
    word_ids = tuple(ids for word in words for ids in _encode_word(word, tokenizer))
    check_tokens_left(allowed, word_ids)
    return {
        "logit_bias": options.get("logit_bias", {}),
        "allowed_token_ids": tuple(allowed),
        "bad_words": words,
        "bad_word_ids": word_ids,
    }


def _encode_word(word: str, tokenizer: InternVL2Tokenizer) -> list[tuple[int, ...]]:
    """Return the tokens of a word at the start of a text, and after a space if they differ then.

    Source: vLLM's `SamplingParams.update_from_tokenizer`: both engines exclude the same tokens.
    """
    first, within = (
        tuple(tokenizer.encode(space + word.lstrip(), add_special_tokens=False))
        for space in ("", " ")
    )
    another = within[0] != first[0] and len(within) == len(first)
    return [first, within] if another else [first]
