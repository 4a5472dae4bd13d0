"""What hubs have in common stands once; what a hub has of its own stands there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from generator.__main__ import main
from generator.family.catalog_keys import SOURCE_SETTINGS
from generator.importing.to_spec import convert_record
from tests.unit.generator.specs import load_data

DIMENSIONS = (
    *("vocab_size", "hidden_size", "intermediate_size"),
    *("num_hidden_layers", "num_attention_heads", "head_dim"),
)
VALUES: dict[str, tuple[Any, Any]] = {
    "quantization_parts": ({"Q4_0": ["a"]}, {"Q4_0": ["b"]}),
    "multimodal_projectors": (["a.gguf"], ["b.gguf"]),
    "draft_quantizations": (["BF16"], ["F16"]),
    "draft_model_id": ("a/b", "a/c"),
    "model_file_name_split_template": ("{part}.gguf", "a-{part}.gguf"),
}
"""Two values of a key; of most, any two texts do."""


def _record(**hubs: Any) -> dict[str, Any]:
    source = {"quantizations": ["Q4_0"], "model_id": "owner/base", "model_revision": "main"}
    source["model_file_name_template"] = "base.gguf"
    spec = {"model_format": "ggufv2", "model_size_in_billions": 7}
    return {
        "version": 2,
        "context_length": 1,
        "model_name": "base",
        "model_lang": ["en"],
        "model_ability": ["chat"],
        "model_description": "A family.",
        "model_specs": [spec | {"model_src": {hub: source | own for hub, own in hubs.items()}}],
        "architectures": ["BaseModel"],
        "updated_at": 1700000000,
    }


@pytest.fixture
def there_and_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Import a record, build it, and return the only checkpoint of the spec between."""

    def run(record: Any) -> Any:
        (folder / "base.json").write_text(json.dumps([record]), "utf-8")
        assert main(["import", "base.json", "-o", "specs"]) == 0, capsys.readouterr().err
        assert main(["build", "--output", "out", "specs/base.yaml"]) == 0
        built = Path("out/plugin/xinference_internvl2/families/base.json")
        assert json.loads(built.read_text("utf-8")) == [record]
        (spec,) = load_data(Path("specs/base.yaml").read_text("utf-8"))["model_specs"]
        os.unlink("specs/base.yaml")
        return spec

    return run


@pytest.mark.parametrize("key", SOURCE_SETTINGS)
def test_what_hubs_have_in_common_stands_once(key: str, there_and_back: Any) -> None:
    one, other = VALUES.get(key, ("a", "b"))
    # What comes only together with it.
    beside = {"model_file_name_split_template": {"quantization_parts": {"Q4_0": ["a"]}}}
    beside["quantization_parts"] = {"model_file_name_split_template": "{part}.gguf"}
    also = beside.get(key, {})
    spec = there_and_back(_record(huggingface={**also, key: one}, modelscope={**also, key: one}))
    assert spec[key] == one
    assert not any(key in source for source in spec["model_src"].values())

    spec = there_and_back(_record(huggingface={**also, key: one}, modelscope={**also, key: other}))
    assert key not in spec
    assert [source[key] for source in spec["model_src"].values()] == [one, other]


def test_what_only_one_hub_has_stands_there(there_and_back: Any) -> None:
    draft = {"draft_model_id": "a/b"}
    for hubs in (
        {"huggingface": draft, "modelscope": {}},
        {"huggingface": {}, "modelscope": draft},
        {"huggingface": draft},
    ):
        spec = there_and_back(_record(**hubs))
        assert "draft_model_id" not in spec
        assert ["draft_model_id" in source for source in spec["model_src"].values()] == [
            bool(own) for own in hubs.values()
        ]


@pytest.mark.parametrize("hubs", [["huggingface", "modelscope"], ["modelscope", "huggingface"]])
def test_hubs_keep_their_order(hubs: list[str], there_and_back: Any) -> None:
    assert list(there_and_back(_record(**{hub: {} for hub in hubs}))["model_src"]) == hubs


@pytest.mark.parametrize("key", ["model_id", "model_revision"])
def test_a_repository_is_always_the_hubs_own(key: str, there_and_back: Any) -> None:
    spec = there_and_back(_record(huggingface={key: "a/b"}, modelscope={key: "a/c"}))
    assert [source[key] for source in spec["model_src"].values()] == ["a/b", "a/c"]


@pytest.mark.parametrize(("common", "shared"), [(5, True), (4, False)])
def test_five_dimensions_are_worth_sharing(common: int, shared: bool, there_and_back: Any) -> None:
    one = dict.fromkeys(DIMENSIONS, 8)
    other = {key: 8 if index < common else 9 for index, key in enumerate(DIMENSIONS)}
    metadata = {"huggingface": {"model_metadata": one}, "modelscope": {"model_metadata": other}}
    spec = there_and_back(_record(**metadata))
    assert ("model_metadata" in spec) is shared


def test_dimensions_of_one_quantization_are_not_taken_apart(there_and_back: Any) -> None:
    one = dict.fromkeys(DIMENSIONS, 8)
    own = {"model_metadata_by_quantization": {"Q4_0": one}}
    spec = there_and_back(_record(huggingface=own))
    assert spec["model_src"]["huggingface"]["model_metadata_by_quantization"] == {"Q4_0": one}
    own["model_metadata_by_quantization"]["Q8_0"] = one
    spec = there_and_back(_record(huggingface={**own, "quantizations": ["Q4_0", "Q8_0"]}))
    assert spec["model_src"]["huggingface"]["model_metadata"] == one


def test_a_place_on_one_machine_parts_no_entries_of_a_hub() -> None:
    def entry(quantization: str, **own: Any) -> dict[str, Any]:
        of_spec = {"model_format": "pytorch", "model_size_in_billions": 7}
        return {**of_spec, "model_id": "owner/base", "quantizations": [quantization], **own}

    record = _record() | {"model_specs": [entry("none"), entry("4-bit")]}
    places = [entry("none", model_uri="/one"), entry("4-bit", model_uri="/two")]
    data, issues = convert_record(record, record | {"model_specs": places}, {}, 0)
    (spec,) = data["model_specs"]
    assert spec["model_src"]["modelscope"] == spec["model_src"]["huggingface"]
    assert not [issue for issue in issues if "model_uri" in issue.path]


@pytest.mark.parametrize(
    ("seconds", "comment"),
    [(0, "  # 1970-01-01"), ((1 << 37) - 1, "  # 6325-04-08"), (1 << 37, "")],
)
def test_the_date_of_a_change(
    seconds: int, comment: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.json").write_text(json.dumps(_record(huggingface={}) | {"updated_at": seconds}))
    assert main(["import", "base.json"]) == 0
    assert f"\nupdated_at: {seconds}{comment}\n" in capsys.readouterr().out
