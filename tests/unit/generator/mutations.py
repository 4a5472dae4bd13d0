"""Valid data with mistakes in it."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

WORDS = ["none", "Int4", "awq", "vLLM", "plain", "1_8", "huggingface", "owner/name", "a::", "<<"]

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container with a key or index in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, child in inner:
        found.append((value, key))
        if isinstance(child, dict | list):
            found += places(child)
    return found


@st.composite
def mutated(draw: st.DrawFn, valid: Any) -> Any:
    """Return the valid data with some of its values deleted, replaced or joined by others."""
    data = copy.deepcopy(valid)
    known = sorted({str(key) for _, key in places(valid) if isinstance(key, str)})
    keys = st.text(max_size=8) | st.sampled_from([*known, *WORDS])
    values = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
    )
    for _ in range(draw(st.integers(1, 3))):
        found = places(data)
        if not found:
            break
        container, key = draw(st.sampled_from(range(len(found))).map(found.__getitem__))
        change = draw(st.sampled_from(["delete", "replace", "insert"]))
        if change == "delete":
            del container[key]
        elif change == "replace":
            container[key] = draw(values)
        elif isinstance(container, dict):
            container[draw(keys)] = draw(values)
        else:
            container.insert(key, draw(values))
    return data
