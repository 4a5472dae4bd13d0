"""The lengths at which the encoding of positions changes: at each, and one beyond."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.transformers.engine.position_encoding import encoding, switches


def test_keys_are_computed_again_at_the_first_token_beyond_the_short_encoding() -> None:
    longrope: Any = {"rope_type": "longrope", "original_max_position_embeddings": 16}
    found = {tokens: switches(longrope, 64, tokens) for tokens in (15, 16, 17, 18)}
    assert found == {15: False, 16: False, 17: True, 18: False}
    assert not switches({"rope_type": "dynamic"}, 16, 17)  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("kind", "beyond"), [("longrope", "long"), ("dynamic", None), ("default", "short")]
)
def test_a_text_as_long_as_those_of_training_has_the_short_encoding(
    kind: str, beyond: str | None
) -> None:
    form: Any = {"rope_type": kind, "original_max_position_embeddings": 16}
    longest = 64 if kind == "dynamic" else 16
    assert encoding(form, 64, longest) == "short"
    assert encoding(form, 64, longest + 1) == beyond
