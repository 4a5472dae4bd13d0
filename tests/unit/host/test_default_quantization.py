"""What a launch takes that names no quantization."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.host.default_quantization import choose_quantization


@pytest.mark.parametrize(
    ("model_format", "size", "quantization"),
    [
        ("pytorch", 1, "none"),
        ("pytorch", None, "none"),
        ("awq", 2, "Int4"),
        ("awq", None, "Int4"),
        (None, 2, "none"),
        (None, None, "none"),
        ("gptq", 2, None),
        ("awq", 1, None),
    ],
)
def test_what_is_not_asked_for_is_unquantized(
    catalog_family: Any, model_format: str | None, size: int | None, quantization: str | None
) -> None:
    found = choose_quantization(
        catalog_family.model_specs,
        model_format,
        lambda spec: size is None or spec.model_size_in_billions == size,
    )
    assert found == quantization
