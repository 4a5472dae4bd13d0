"""The probability of each field of a JSON answer, from the log probabilities of its tokens.

>>> tokens = answer.choices[0].logprobs.content  # doctest: +SKIP
>>> field_probabilities(tokens)  # doctest: +SKIP
{'colour': FieldProbability(value='red', probability=0.98)}
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple


class FieldProbability(NamedTuple):
    """The value of a field, and the product of the probabilities of its tokens."""

    value: Any
    probability: float


def field_probabilities(tokens: Sequence[Any]) -> dict[str, FieldProbability]:
    """Return the fields of the JSON object that an answer consists of, by name.

    Args:
        tokens: `logprobs.content` of a choice, as objects of the openai client or as JSON.

    Raises:
        ValueError: the answer is no complete JSON object.
    """
    entries = [token if isinstance(token, Mapping) else vars(token) for token in tokens]
    ends = list(accumulate(len(entry["bytes"]) for entry in entries))
    written = b"".join(bytes(entry["bytes"]) for entry in entries)
    found = {}
    _check_object(written)
    for name, first, last in _find_fields(written):
        spans = zip(entries, [0, *ends], ends, strict=False)
        within = [entry["logprob"] for entry, start, end in spans if start < last and end > first]
        value = json.loads(written[first:last])
        found[name] = FieldProbability(value, math.exp(sum(within)))
    return found


def _check_object(written: bytes) -> None:
    try:
        whole = json.loads(written)
    except ValueError as error:
        raise ValueError(f"the answer is no whole JSON object: {error}") from None
    if not isinstance(whole, dict):
        raise ValueError(f"the answer is no whole JSON object: {written[:80]!r}")


def _find_fields(written: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield name, first byte and end (exclusive) of the value of every field of a JSON object."""
    # In Latin-1 every byte is one character, so that positions count bytes.
    letters = written.decode("latin-1")
    decode = json.JSONDecoder(strict=False).raw_decode
    at = _skip_mark(letters, letters.index("{"))
    while letters[at : at + 1] not in ("}", ""):
        _, end = decode(letters, at)
        name = json.loads(written[at:end])
        first = _skip_mark(letters, letters.index(":", end))
        _, last = decode(letters, first)
        yield name, first, last
        at = _skip_mark(letters, last)


def _skip_mark(letters: str, at: int) -> int:
    """Return the position after one punctuation mark and the white space around it."""
    rest = letters[at:].lstrip()[1:]
    return len(letters) - len(rest.lstrip())
