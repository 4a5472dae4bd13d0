"""Refuses an answer that ends before its grammar does, which vLLM takes for a complete one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from ..engine_outputs import FinishOutput, TokenOutput
from ..grammar import check_complete
from ..tokenizer.tokenizer import InternVL2Tokenizer


class GrammarCheck:
    """Refuses an answer that ends before its grammar does.

    Where a grammar fails in the middle of an answer, vLLM may allow nothing but its end.

    Args:
        constraint: kind and value of a grammar, as for `compile_grammar`; None accepts all.
        ends: the tokens that may follow a complete answer.
    """

    def __init__(
        self,
        constraint: tuple[str, Any] | None,
        tokenizer: InternVL2Tokenizer,
        ends: Collection[int],
    ) -> None:
        self._constraint, self._tokenizer, self._ends = constraint, tokenizer, ends
        self._texts: defaultdict[int, bytes] = defaultdict(bytes)

    def add(self, output: TokenOutput | FinishOutput) -> None:
        """Check the next output of an answer.

        Raises:
            RequestError: it ends the answer before its grammar.
        """
        if self._constraint is None:
            return
        if isinstance(output, TokenOutput):
            self._texts[output.choice] += self._tokenizer.token_bytes(output.id)
        elif output.token in self._ends:
            check_complete(*self._constraint, self._texts[output.choice])
