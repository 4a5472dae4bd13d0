"""What the engine matrix answers, word for word."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from xinference_internvl2.families import withdrawn
from xinference_internvl2.families.engine_matrix import serves

OURS = SimpleNamespace(model_name="internvl2", model_family=None)
CUSTOM = SimpleNamespace(model_name="mine", model_family="internvl2")
OTHER = SimpleNamespace(model_name="qwen2-vl-instruct", model_family=None)


def spec(model_format: str, size: int | str) -> SimpleNamespace:
    return SimpleNamespace(model_format=model_format, model_size_in_billions=size)


@pytest.fixture(autouse=True)
def _nothing_withdrawn() -> Iterator[None]:
    yield
    withdrawn.restore()


@pytest.mark.parametrize(
    ("family", "model_spec", "quantization", "engine"),
    [
        (OURS, spec("pytorch", 1), "none", "Transformers"),
        (OURS, spec("pytorch", 76), "4-bit", "transformers"),
        (OURS, spec("awq", "2"), "int4", "vLLM"),
        (OURS, spec("awq", 26), "Int4", "transformers"),
        (OURS, spec("pytorch", 2), None, "vLLM"),
        (CUSTOM, spec("pytorch", 3), "8-bit", "Transformers"),
        (CUSTOM, spec("awq", "1_8"), "Int4", "vLLM"),
    ],
)
def test_served(family: object, model_spec: object, quantization: str, engine: str) -> None:
    assert serves(family, model_spec, quantization, engine) is True


@pytest.mark.parametrize(
    ("family", "model_spec", "quantization", "engine", "reason"),
    [
        (
            OTHER,
            spec("pytorch", 2),
            "none",
            "Transformers",
            "The plugin xinference-internvl2 serves InternVL2.5-MPO, InternVL2.5, internvl-chat,"
            " internvl2, not qwen2-vl-instruct.",
        ),
        (
            OURS,
            spec("gptq", 2),
            "Int4",
            "vLLM",
            "internvl2 has no model spec of format gptq; its formats are pytorch, awq.",
        ),
        (
            OURS,
            spec("awq", 1),
            "Int4",
            "vLLM",
            "internvl2 has no awq spec of size 1; its sizes are 2, 8, 26, 40, 76.",
        ),
        (
            OURS,
            spec("pytorch", 2),
            "8-bit",
            "vLLM",
            "vLLM serves internvl2 in format pytorch with quantization none, not 8-bit;"
            " quantization 8-bit is served by Transformers.",
        ),
        (
            CUSTOM,
            spec("pytorch", 3),
            "Int8",
            "Transformers",
            "Transformers serves internvl2 in format pytorch with quantization 4-bit, 8-bit, none,"
            " not Int8.",
        ),
        (
            OURS,
            spec("pytorch", 2),
            "none",
            "SGLang",
            "SGLang does not serve internvl2 in format pytorch;"
            " quantization none is served by Transformers, vLLM.",
        ),
    ],
)
def test_refused(
    family: object, model_spec: object, quantization: str, engine: str, reason: str
) -> None:
    assert serves(family, model_spec, quantization, engine) == (False, reason)


@pytest.mark.parametrize("family", [OURS, CUSTOM])
def test_a_family_that_is_left_to_the_host_is_not_served(family: SimpleNamespace) -> None:
    withdrawn.withdraw("internvl2")
    assert serves(family, spec("pytorch", 2), "none", "Transformers") == (
        False,
        "Xinference has the model family internvl2 itself, so xinference-internvl2 leaves it.",
    )
