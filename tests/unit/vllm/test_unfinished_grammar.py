"""Answers that vLLM has ended before their grammar does."""

from __future__ import annotations

import pytest

from xinference_internvl2.engine_outputs import FinishOutput, FinishReason, TokenOutput
from xinference_internvl2.errors import RequestError
from xinference_internvl2.grammar import BROKEN_OFF
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer
from xinference_internvl2.vllm.unfinished_grammar import GrammarCheck

END, ANOTHER = 7, 8


def see(tokenizer: InternVL2Tokenizer, text: str, reason: FinishReason, end: int | None) -> None:
    """Two answers to a request, of which the other one is whole."""
    check = GrammarCheck(("regex", "[a-z]+ [0-9]{2}é"), tokenizer, [END])
    for choice, words in ((1, "fox 12é"), (0, text)):
        for token in tokenizer.encode(words, add_special_tokens=False):
            check.add(TokenOutput(choice, token))
    check.add(FinishOutput(1, "stop", END))
    check.add(FinishOutput(0, reason, end))


@pytest.mark.parametrize("text", ["", "fox", "fox 1", "fox 12"])
def test_an_answer_that_ends_before_its_form_is_refused(
    tokenizer: InternVL2Tokenizer, text: str
) -> None:
    with pytest.raises(RequestError) as caught:
        see(tokenizer, text, "stop", END)
    assert str(caught.value) == BROKEN_OFF


@pytest.mark.parametrize(
    ("text", "reason", "end"),
    [("fox 99é", "stop", END), ("fox 1", "length", None), ("fox", "stop", ANOTHER)],
    ids=["whole", "too long", "by a stop token of the request"],
)
def test_what_may_end_an_answer(
    tokenizer: InternVL2Tokenizer, text: str, reason: FinishReason, end: int | None
) -> None:
    see(tokenizer, text, reason, end)


def test_an_answer_without_a_form_may_end_anywhere(tokenizer: InternVL2Tokenizer) -> None:
    GrammarCheck(None, tokenizer, [END]).add(FinishOutput(0, "stop", END))
