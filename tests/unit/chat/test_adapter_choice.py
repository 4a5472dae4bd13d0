"""Which LoRA adapter answers a request."""

from __future__ import annotations

import pytest

from xinference_internvl2.chat.adapter_choice import choose_adapter
from xinference_internvl2.errors import RequestError

LAUNCHED = frozenset({"receipts", "charts"})


@pytest.mark.parametrize(("name", "chosen"), [(None, None), ("", None), ("charts", "charts")])
def test_chosen(name: str | None, chosen: str | None) -> None:
    assert choose_adapter(name, LAUNCHED) == chosen


@pytest.mark.parametrize(("launched", "known"), [(LAUNCHED, "charts, receipts"), (set(), "none")])
def test_an_adapter_that_was_not_launched_is_refused(launched: set[str], known: str) -> None:
    with pytest.raises(RequestError) as caught:
        choose_adapter("chart", frozenset(launched))
    assert str(caught.value) == (
        f"lora_name chart is not an adapter of this model, which was launched with {known}; "
        "name one of those, or none"
    )


@pytest.mark.parametrize("length", [1, 100, 101])
def test_a_hundred_characters_of_an_unknown_name_are_shown(length: int) -> None:
    with pytest.raises(RequestError) as caught:
        choose_adapter("b" * length, LAUNCHED)
    assert str(caught.value).startswith(f"lora_name {'b' * min(length, 100)} is not an adapter of")
