"""The registration: what holds on which hub."""

from __future__ import annotations

from generator.family.model import make_family
from generator.outputs.registration import make_registration
from tests.unit.generator.specs import RICH, load_data


def test_what_a_hub_says_holds_there() -> None:
    record = make_registration(make_family(load_data(RICH)))["model_specs"][0]
    sources = record["model_src"]
    assert record["activated_size_in_billions"] == 3
    assert "quantizations" not in record
    assert sources["csghub"]["quantizations"] == ["Q4_0", "Q8_0"]
    assert sources["csghub"]["model_file_name_template"] == "rich-{quantization}.gguf"
    assert sources["modelscope"]["quantizations"] == ["Q8_0", "Q6_K"]
    assert sources["modelscope"]["quantization_parts"] == {}
    assert sources["modelscope"]["draft_model_revision"] == "master"
    assert sources["huggingface"]["draft_model_revision"] == "main"


def test_dimensions_are_put_together(base: str) -> None:
    data = load_data(base)
    spec = data["model_specs"][0]
    spec["model_metadata"] = {"vocab_size": 1, "head_dim": 2}
    own, of_each = {"head_dim": 3}, {"none": {"vocab_size": 4}, "4-bit": {}}
    spec["model_src"] |= {
        "modelscope": {"model_id": "a/b", "model_metadata": own},
        "csghub": {
            "model_id": "a/b",
            "model_metadata": own,
            "model_metadata_by_quantization": of_each,
        },
    }
    sources = make_registration(make_family(data))["model_specs"][0]["model_src"]
    assert sources["huggingface"]["model_metadata"] == {"vocab_size": 1, "head_dim": 2}
    assert sources["modelscope"]["model_metadata"] == {"vocab_size": 1, "head_dim": 3}
    assert "model_metadata" not in sources["csghub"]
    assert sources["csghub"]["model_metadata_by_quantization"] == {
        "none": {"vocab_size": 4, "head_dim": 3},
        "4-bit": {"vocab_size": 1, "head_dim": 3},
    }
