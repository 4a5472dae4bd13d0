"""vLLM gets the library of grammars that both engines have."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.vllm.structured_outputs_backend import choose_guidance


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (None, {"backend": "guidance"}),
        ({"backend": "auto"}, {"backend": "guidance"}),
        (
            '{"backend": "guidance", "disable_any_whitespace": true}',
            {"backend": "guidance", "disable_any_whitespace": True},
        ),
    ],
)
def test_grammars_are_those_of_both_engines(given: Any, taken: dict[str, Any]) -> None:
    assert choose_guidance({"structured_outputs_config": given}) == taken


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"backend": "xgrammar"}, "backend 'xgrammar' is not supported; leave it out, or use gui"),
        ("{", "structured_outputs_config '{' is not a JSON object"),
        (["xgrammar"], "structured_outputs_config ['xgrammar'] is not a JSON object"),
    ],
)
def test_another_library_of_grammars_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        choose_guidance({"structured_outputs_config": given})
    assert sentence in str(caught.value)
