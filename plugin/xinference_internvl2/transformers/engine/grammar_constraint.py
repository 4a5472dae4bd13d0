"""Holds each sequence to a grammar: before every token, those that may follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ...errors import RequestError
from ...grammar import BROKEN_OFF, compile_grammar


class Constraint:
    """A grammar, and how far the tokens of one sequence have come in it.

    Args:
        matcher: llguidance's `LLMatcher`.
    """

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def copy(self) -> Constraint:
        """Return another one that has come as far."""
        return Constraint(self._matcher.deep_copy())

    def mask(self, row: torch.Tensor) -> torch.Tensor:
        """(1, vocabulary) → the same, with minus infinity for every token that may not follow.

        Raises:
            RequestError: the grammar has become too complex, or nothing may follow.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.is_error():
            raise RequestError(BROKEN_OFF)
        allowed = np.unpackbits(bits, bitorder="little")[: row.shape[-1]].astype(bool)
        mask = torch.from_numpy(allowed).to(row.device)
        return row.masked_fill(~mask, -torch.inf)

    def accept(self, token: int) -> None:
        """Go on to what follows `token`, which may be one that ends the sequence."""
        self._matcher.consume_token(token)


class ConstraintBuilder:
    """Makes constraints for a tokenizer.

    Args:
        tokenizer: a fast one of transformers.
        vocabulary: width of the model's logits.
        stop_ids: tokens that may follow where a text is complete.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, stop_ids: Sequence[int]) -> None:
        self._tokenizer, self._size = tokenizer, max(vocabulary, len(tokenizer))
        self._stop_ids = list(stop_ids)
        self._known: Any = None

    def build(self, kind: str, value: Any) -> Constraint:
        """Return what holds a sequence to a grammar; see `compile_grammar`."""
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        grammar = compile_grammar(kind, value)
        if self._known is None:
            # Takes a second, so not before it is needed.
            self._known = from_tokenizer(self._tokenizer, self._size, self._stop_ids)
        return Constraint(LLMatcher(self._known, grammar, log_level=0))
