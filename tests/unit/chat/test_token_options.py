"""Options that name tokens: what they become, and which are not there."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.chat.repetition_detection import RepetitionDetector
from xinference_internvl2.chat.token_options import read_token_options
from xinference_internvl2.errors import RequestError
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer


def test_a_bad_word_is_left_out_at_the_beginning_and_within(tokenizer: InternVL2Tokenizer) -> None:
    found = read_token_options({"bad_words": ("a",)}, tokenizer, 500)["bad_word_ids"]
    texts = {b"".join(map(tokenizer.token_bytes, ids)) for ids in found}
    assert texts <= {b"a", b" a"}
    assert len(found) == len(texts) >= 1


@pytest.mark.parametrize("name", ["stop_token_ids", "allowed_token_ids", "logit_bias"])
def test_a_token_that_is_not_there_is_refused(tokenizer: InternVL2Tokenizer, name: str) -> None:
    def read(token: int) -> Any:
        options = {name: {token: 1.0} if name == "logit_bias" else (token,)}
        return read_token_options(options, tokenizer, 500)

    assert read(499)
    with pytest.raises(RequestError) as caught:
        read(500)
    sentence = f"{name}: the vocabulary of this model has no token 500; give one below 500"
    assert str(caught.value) == sentence


def test_words_that_leave_no_token_are_refused(tokenizer: InternVL2Tokenizer) -> None:
    left_out = read_token_options({"bad_words": ("a",)}, tokenizer, 500)["bad_word_ids"]
    word = left_out[0]
    options = {"bad_words": ("a",), "allowed_token_ids": word}
    assert len(word) == 1
    with pytest.raises(RequestError, match="bad_words leaves out all of allowed_token_ids"):
        read_token_options(options, tokenizer, 5000)
    single = tuple(ids[0] for ids in left_out if len(ids) == 1)
    with pytest.raises(RequestError, match="bad_words leaves out all of allowed_token_ids"):
        read_token_options({**options, "allowed_token_ids": single}, tokenizer, 5000)
    other = {**options, "allowed_token_ids": (*single, max(single) + 1)}
    assert read_token_options(other, tokenizer, 5000)


@pytest.mark.parametrize(
    ("size", "threshold", "tokens", "ends_after"),
    [
        (1, 2, [5, 6, 5, 7], 3),
        (2, 2, [5, 6, 7, 5, 6, 8], 5),
        (2, 3, [5, 6, 5, 6, 5, 6, 5], 6),
        (3, 2, [1, 1, 1, 1], 4),
        (2, 2, [5, 6, 6, 5, 7], None),
    ],
)
def test_an_answer_ends_where_it_has_repeated_itself_enough(
    size: int, threshold: int, tokens: list[int], ends_after: int | None
) -> None:
    breaker = RepetitionDetector(size, threshold)
    ends = [number for number, token in enumerate(tokens, 1) if breaker.add(token)]
    assert (ends[0] if ends else None) == ends_after
