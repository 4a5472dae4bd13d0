"""What a launch is told that fits no spec of its family."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.host.missing_spec import explain_missing


@pytest.mark.parametrize(
    ("model_format", "size", "quantization", "sentence"),
    [
        (
            *("pytorch", 2, "Int4"),
            "internvl2 in format pytorch has no quantization Int4, only 4-bit, 8-bit, none;"
            " Int4 is of format awq.",
        ),
        (
            *("awq", 1, "Int4"),
            "internvl2 in format awq with quantization Int4 has no size 1 (in billions of"
            " parameters); its sizes are 2, 8, 26, 40, 76.",
        ),
        (
            *("awq", 1, None),
            "internvl2 in format awq has no size 1 (in billions of parameters); its sizes are 2,"
            " 8, 26, 40, 76.",
        ),
        (
            *("pytorch", 3, "none"),
            "internvl2 in format pytorch with quantization none has no size 3 (in billions of"
            " parameters); its sizes are 1, 2, 4, 8, 26, 40, 76.",
        ),
        (
            *("gptq", 2, None),
            "internvl2 has no format gptq; its formats are pytorch, awq.",
        ),
        (
            *("pytorch", 2, "int3"),
            "internvl2 in format pytorch has no quantization int3, only 4-bit, 8-bit, none.",
        ),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    catalog_family: Any, model_format: str, size: int, quantization: str | None, sentence: str
) -> None:
    asked = {
        "model_format": model_format,
        "model_size_in_billions": size,
        "quantization": quantization,
    }
    assert explain_missing(catalog_family, asked) == sentence
