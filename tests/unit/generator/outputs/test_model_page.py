"""The model page: the line of the engines, and the hub that is shown."""

from __future__ import annotations

import pytest

from generator.family.model import EngineSupport, ModelSpec, Source, make_family
from generator.outputs.model_page import format_engines, render_model_page
from tests.unit.generator.specs import RICH, load_data


def _format_engines(**engines: str) -> str:
    support = tuple(EngineSupport(name, tuple(q.split())) for name, q in engines.items())
    quantizations = ("4-bit", "8-bit", "none")
    source = Source("huggingface", "owner/name", None, quantizations)
    spec = ModelSpec("pytorch", 7, quantizations, (source,), None, support)
    return format_engines(spec, quantizations)


ALL = "4-bit 8-bit none"


@pytest.mark.parametrize(
    ("engines", "line"),
    [
        ({}, ""),
        ({"Transformers": ALL}, "Transformers"),
        ({"A": "none 8-bit 4-bit"}, "A"),
        ({"A": "none", "B": ALL}, "A, B (A only available for quantization none)"),
        (
            {"A": "none", "B": ALL, "C": "none"},
            "A, B, C (A and C only available for quantization none)",
        ),
        (
            {"A": "none", "B": "none", "C": "none"},
            "A, B, C (A, B and C only available for quantization none)",
        ),
        (
            {"A": "none", "B": "none 4-bit"},
            "A, B (A only available for quantization none; "
            "B only available for quantizations 4-bit and none)",
        ),
    ],
)
def test_format_engines(engines: dict[str, str], line: str) -> None:
    assert _format_engines(**engines) == line


def test_page_shows_the_quantizations_of_the_hub_that_it_shows_first() -> None:
    data = load_data(RICH)
    spec = data["model_specs"][0]
    spec["published_engines"] = {"llama.cpp": ["Q8_0", "Q6_K"], "vLLM": ["Q8_0"]}
    # On the page stand those of Hugging Face; then, without it, those of ModelScope.
    lines = render_model_page(make_family(data)).splitlines()
    assert "- **Quantizations:** Q4_0, Q8_0" in lines
    note = "llama.cpp only available for quantizations Q8_0 and Q6_K"
    rest = "vLLM only available for quantization Q8_0"
    assert f"- **Engines**: llama.cpp, vLLM ({note}; {rest})" in lines
    del spec["model_src"]["huggingface"]
    lines = render_model_page(make_family(data)).splitlines()
    assert "- **Quantizations:** Q8_0, Q6_K" in lines
    assert f"- **Engines**: llama.cpp, vLLM ({rest})" in lines
    assert "- **Model ID:** owner/rich" in lines
