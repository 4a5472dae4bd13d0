"""The options that end an answer which repeats itself."""

from __future__ import annotations

import pytest

from xinference_internvl2.chat.repetition_detection import read_repetition
from xinference_internvl2.errors import RequestError

SIZE, THRESHOLD = "repetition_ngram_size", "repetition_ngram_threshold"


def test_both_or_none() -> None:
    assert read_repetition({}) is None
    assert read_repetition({SIZE: 4, THRESHOLD: 9}) == (4, 9)


@pytest.mark.parametrize("name", [SIZE, THRESHOLD])
def test_one_without_the_other_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="belong together; give both"):
        read_repetition({name: 4})
