"""What a launch means that leaves something out, and what a wrong one is told."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from xinference_internvl2.families.records import FAMILIES
from xinference_internvl2.host.spec_choice import choose_quantization, explain_missing


def family() -> Any:
    (record,) = json.loads((FAMILIES / "internvl2.json").read_text("utf-8"))
    specs = [
        SimpleNamespace(
            model_format=spec["model_format"],
            model_size_in_billions=spec["model_size_in_billions"],
            quantization=quantization,
        )
        for spec in record["model_specs"]
        for quantization in spec["model_src"]["huggingface"]["quantizations"]
    ]
    return SimpleNamespace(model_name="internvl2", model_specs=specs)


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
    model_format: str | None, size: int | None, quantization: str | None
) -> None:
    found = choose_quantization(
        family().model_specs,
        model_format,
        lambda spec: size is None or spec.model_size_in_billions == size,
    )
    assert found == quantization


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
    model_format: str, size: int, quantization: str | None, sentence: str
) -> None:
    asked = {
        "model_format": model_format,
        "model_size_in_billions": size,
        "quantization": quantization,
    }
    assert explain_missing(family(), asked) == sentence
