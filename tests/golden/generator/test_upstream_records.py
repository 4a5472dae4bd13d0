"""Our specs against the last upstream records of the same families, and what was published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generator.family.memory_from_dimensions import (
    LanguageModel,
    count_parameters,
    estimate_by_quantization,
)
from generator.paths import ROOT
from generator.spec.load import load_one

FAMILIES = ROOT / "plugin/xinference_internvl2/families"
DROPPED = ROOT.parent / "shared/reference/dropped"
NAMES = ("internvl-chat", "InternVL2.5", "InternVL2.5-MPO", "internvl2")
SIBLINGS = NAMES[:-1]
CHECKPOINTS = {"internvl-chat": 3, "InternVL2.5": 12, "InternVL2.5-MPO": 12, "internvl2": 12}
# As the checkpoints' model cards have them, in billions.
PUBLISHED = {
    "internvl-chat": {2: 2.21, 26: 25.5},
    "InternVL2.5": {1: 0.94, 2: 2.21, 4: 3.71, 8: 8.08, 26: 25.5, 38: 38.4, 78: 78.4},
}
PUBLISHED["InternVL2.5-MPO"] = PUBLISHED["InternVL2.5"]


def _record(name: str) -> Any:
    (record,) = json.loads((FAMILIES / f"{name}.json").read_text("utf-8"))
    return record


def _old(hub: str, name: str) -> Any:
    records = json.loads((DROPPED / f"{hub}.json").read_text("utf-8"))
    return next(record for record in records if record["model_name"] == name)


@pytest.mark.parametrize("name", NAMES)
def test_every_checkpoint_is_served(name: str) -> None:
    family = load_one(ROOT / f"family_specs/{name}.yaml").family
    assert len(family.served_specs) == len(family.specs) == CHECKPOINTS[name]
    assert len(_record(name)["model_specs"]) == CHECKPOINTS[name]


@pytest.mark.skipif(not DROPPED.is_dir(), reason="no records beside the repository")
@pytest.mark.parametrize("name", SIBLINGS)
def test_registration_has_every_fact_of_the_old_one(name: str) -> None:
    record, old = _record(name), _old("huggingface", name)
    for key in old.keys() - {"version", "model_specs"}:
        assert record[key] == old[key], key
    # Each fact of a checkpoint, hub by hub; what is new is its dimensions.
    facts = ("model_id", "model_revision", "quantizations")
    new = {
        hub: [
            {
                "model_format": spec["model_format"],
                "model_size_in_billions": spec["model_size_in_billions"],
                **{key: source[key] for key in facts if key in source},
            }
            for spec in record["model_specs"]
            for source in [spec["model_src"].get(hub)]
            if source
        ]
        for hub in ("huggingface", "modelscope")
    }
    for hub in new:
        expected = [
            {key: value for key, value in spec.items() if key != "model_hub"}
            for spec in _old(hub, name)["model_specs"]
        ]
        assert new[hub] == expected
    assert record["architectures"] == ["InternVLChatModel"]


@pytest.mark.parametrize("name", NAMES)
def test_engines_of_the_published_page(name: str) -> None:
    page = (ROOT / f"docs/models/{name.lower()}.rst").read_text("utf-8").splitlines()
    engines = [line for line in page if line.startswith("- **Engines**:")]
    both = "- **Engines**: vLLM, Transformers (vLLM only available for quantization none)"
    alone = "- **Engines**: Transformers"
    formats = [spec["model_format"] for spec in _record(name)["model_specs"]]
    unquantized = alone if name == "internvl-chat" else both
    expected = [{"pytorch": unquantized, "awq": "- **Engines**: "}[kind] for kind in formats]
    assert engines == expected


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_those_that_are_published(name: str) -> None:
    family = load_one(ROOT / f"family_specs/{name}.yaml").family
    found = {}
    for spec, serving in family.served_specs:
        if spec.vision_tower is not None:
            model = LanguageModel.from_metadata(serving.backbone, spec.dimensions)
            found[spec.size] = (
                count_parameters(family.vision_towers[spec.vision_tower], model) / 1e9
            )
    assert found == {size: pytest.approx(n, rel=0.006) for size, n in PUBLISHED[name].items()}


def test_what_is_not_verified_has_no_estimate() -> None:
    family = load_one(ROOT / "family_specs/internvl-chat.yaml").family
    assert [spec.size for spec in family.specs if not estimate_by_quantization(family, spec)] == [4]
    page = (ROOT / "docs/models/internvl-chat-engines.rst").read_text("utf-8")
    assert (
        "Not known is the memory of size 4 (pytorch), whose dimensions are not all verified.\n"
        in page
    )


@pytest.mark.parametrize("name", SIBLINGS)
def test_a_sibling_is_described_by_its_yaml_alone(name: str) -> None:
    code = [path for folder in ("plugin", "generator") for path in (ROOT / folder).rglob("*.py")]
    assert len(code) > 80
    naming = [path for path in code if f'"{name}"' in Path(path).read_text("utf-8")]
    assert naming == []
