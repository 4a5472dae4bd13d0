"""The engines of a model: the reasons that the web page shows, in place of the host's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import xinference.model.llm

from xinference_internvl2.host import engine_query


@pytest.mark.parametrize(
    ("installed", "reason"), [(True, "the host's"), ((False, "install it"), "install it")]
)
def test_the_reason_is_that_of_our_loader_where_it_has_one(
    installed: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = SimpleNamespace(check_lib=lambda: installed)
    monkeypatch.setattr(engine_query, "find_our_family", lambda name: name)
    monkeypatch.setattr(engine_query, "find_loader", lambda engines, engine: engines.get(engine))
    monkeypatch.setattr(xinference.model.llm, "SUPPORTED_ENGINES", {"vLLM": loader})
    found = {"vLLM": "the host's", "MLX": "another"}
    assert engine_query._add_reasons_to(found, "internvl2") == {"vLLM": reason, "MLX": "another"}
