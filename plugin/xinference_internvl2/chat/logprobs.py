"""Writes the log probabilities of tokens in the form of OpenAI's chat, and of its completions."""

from __future__ import annotations

from typing import Any

from ..engine_outputs import TokenOutput
from ..tokenizer.tokenizer import InternVL2Tokenizer

Json = dict[str, Any]
MIN_LOGPROB = -9999.0
"""The value that stands for minus infinity, which JSON does not have."""


def format_logprobs(token: TokenOutput, tokenizer: InternVL2Tokenizer) -> list[Json]:
    """Return the entry of a token and of those beside it; none without log probabilities."""
    if token.logprob is None:
        return []
    chosen = _format_logprob(token.id, token.logprob, tokenizer)
    return [{**chosen, "top_logprobs": [_format_logprob(*entry, tokenizer) for entry in token.top]}]


def _format_logprob(token: int, logprob: float, tokenizer: InternVL2Tokenizer) -> Json:
    data = tokenizer.token_bytes(token)
    return {
        "token": data.decode("utf-8", "replace"),
        "logprob": max(logprob, MIN_LOGPROB),
        "bytes": list(data),
    }


def to_logprob_lists(entries: list[Json], offset: int) -> Json:
    """Convert the logprobs of a chat to the lists of a completion.

    Args:
        offset: the character of the text at which they begin.
    """
    offsets = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry["token"])
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [
            {top["token"]: top["logprob"] for top in entry["top_logprobs"]} for entry in entries
        ],
        "text_offset": offsets,
    }
