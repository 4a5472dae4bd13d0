"""What the real host knows with the plugin and without it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from xinference_internvl2.host.loader_classes import LOADERS
from xinference_internvl2.vllm.cpu import explain_missing_awq_kernel

from .conftest import EXTENSION, OFF
from .environment import REPOSITORY, Environment

pytestmark = pytest.mark.host

FAMILY = "internvl2"
FAMILIES = ("InternVL2.5-MPO", "InternVL2.5", "internvl-chat", FAMILY)
CLASSES = {loader.name for loader in LOADERS}
LIBRARIES = {"Transformers": "transformers", "vLLM": "vllm"}


def matrix(family: str) -> dict[str, list[list[Any]]]:
    """The engine table that the spec asks for, of the engines that have a loader here."""
    spec = yaml.safe_load((REPOSITORY / f"family_specs/{family}.yaml").read_text())
    here = [loader for loader in LOADERS if importlib.util.find_spec(LIBRARIES[loader.engine])]
    return {
        loader.engine: [
            [
                s["model_format"],
                s["model_size_in_billions"],
                s["engines"][loader.engine],
                loader.name,
            ]
            for s in spec["model_specs"]
            if s["engines"].get(loader.engine) and computes(loader.engine, s["model_format"])
        ]
        for loader in here
    }


def computes(engine: str, model_format: str) -> bool:
    """Whether this machine does; what the query says where it does not is another test's."""
    return engine != "vLLM" or model_format != "awq" or not explain_missing_awq_kernel()


def others(table: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in table.items() if name not in FAMILIES}


@pytest.mark.parametrize("machine", ["here", "cuda"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_exactly_the_matrix_of_its_spec(
    with_plugin: dict[str, Any], family: str, machine: str
) -> None:
    assert with_plugin[machine]["engines"][family] == matrix(family)


@pytest.mark.parametrize("machine", ["here", "cuda"])
def test_every_other_family_keeps_its_engines_and_classes(
    with_plugin: dict[str, Any], without: dict[str, Any], machine: str
) -> None:
    assert not set(FAMILIES) & set(without[machine]["engines"])
    assert len(without[machine]["engines"]) > 100
    assert others(with_plugin[machine]["engines"]) == without[machine]["engines"]


def test_a_machine_with_cuda_offers_a_loader_of_the_host(without: dict[str, Any]) -> None:
    """Or the comparisons on such a machine would compare nothing."""
    engines = without["cuda"]["engines"]["InternVL3"]
    assert {row[3] for row in engines["vLLM"]} == {"VLLMMultiModel"}


@pytest.mark.parametrize("table", ["families", "versions"])
def test_every_other_family_keeps_its_record(
    with_plugin: dict[str, Any], without: dict[str, Any], table: str
) -> None:
    assert others(with_plugin["here"][table]) == without["here"][table]
    assert all(with_plugin["here"][table][family] for family in FAMILIES)


@pytest.mark.parametrize("machine", ["here", "cuda"])
def test_every_other_family_is_listed_as_before(
    with_plugin: dict[str, Any], without: dict[str, Any], machine: str
) -> None:
    ours, plain = with_plugin, without
    if machine == "cuda":
        ours, plain = ours[machine], plain[machine]
    assert others(ours["listings"]) == plain["listings"]


@pytest.mark.parametrize("mode", ["virtual environment", "strict"])
@pytest.mark.parametrize("machine", ["here", "cuda"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_listed_with_the_matrix_of_its_spec(
    with_plugin: dict[str, Any], family: str, machine: str, mode: str
) -> None:
    found = with_plugin if machine == "here" else with_plugin[machine]
    listed = {
        engine: [
            [row["model_format"], row["model_size_in_billions"], row["quantizations"]]
            for row in rows
        ]
        for engine, rows in found["listings"][family][mode].items()
        if isinstance(rows, list)
    }
    assert listed == {engine: [row[:3] for row in rows] for engine, rows in matrix(family).items()}


def test_the_classes_of_the_host_keep_their_order(
    with_plugin: dict[str, Any], without: dict[str, Any]
) -> None:
    classes = with_plugin["here"]["classes"]
    assert {
        engine: [name for name in names if name not in CLASSES] for engine, names in classes.items()
    } == without["here"]["classes"]
    for loader in LOADERS:
        names = classes[loader.engine]
        assert names.index(loader.before) == names.index(loader.name) + 1


def test_class_names_do_not_attract_families_unknown_to_the_host() -> None:
    tokens = ("multi", "vision", "omni", "chat")
    assert not [name for name in CLASSES if any(token in name.lower() for token in tokens)]


def test_nothing_is_logged(with_plugin: dict[str, Any]) -> None:
    assert with_plugin["messages"] == []


def test_a_refresh_changes_nothing(refreshed: dict[str, Any]) -> None:
    first, second, third = refreshed["tables"]
    assert first == second == third
    assert [first["family_names"].count(family) for family in FAMILIES] == [1] * len(FAMILIES)
    names = [name for names in first["classes"].values() for name in names]
    assert sorted(name for name in names if name in CLASSES) == sorted(CLASSES)


def test_a_custom_model_of_the_family_gets_our_loaders(refreshed: dict[str, Any]) -> None:
    rows = refreshed["tables"][2]["engines"]["my-internvl2"]
    assert rows["Transformers"] == [["pytorch", 3, ["none"], "InternVL2TransformersModel"]]
    assert {row[3] for engine in rows.values() for row in engine} <= CLASSES


def test_a_custom_model_in_a_format_that_is_not_served_gets_no_loader_of_the_host(
    refreshed: dict[str, Any],
) -> None:
    assert [table["engines"]["my-gptq"] for table in refreshed["tables"]] == [{}, {}, {}]


def test_the_host_never_allows_remote_code(refreshed: dict[str, Any]) -> None:
    assert refreshed["remote code"] == [False, False, False]


def test_another_process_receives_a_plain_family_of_the_host(refreshed: dict[str, Any]) -> None:
    assert refreshed["received"] == ["xinference.model.llm.llm_family", True]


def test_launching_follows_the_matrix(refreshed: dict[str, Any]) -> None:
    launches = refreshed["launches"]
    ours = "InternVL2TransformersModel"
    assert launches.pop(f"{FAMILY} transformers pytorch 1 8-bit") == ours
    assert launches.pop(f"{FAMILY} Transformers awq 2 Int4") == ours
    kernel = explain_missing_awq_kernel()
    assert launches.pop(f"{FAMILY} vllm awq 2 Int4") == (kernel or "InternVL2VLLMModel")
    assert launches.pop("my-internvl2 Transformers pytorch 3 none") == ours
    assert launches.pop("qwen2-vl-instruct Transformers pytorch 2 none") == "Qwen2VLChatModel"
    assert launches == {
        f"{FAMILY} Transformers awq 1 Int4": (
            "internvl2 has no awq spec of size 1; its sizes are 2, 8, 26, 40, 76."
        ),
        f"{FAMILY} Transformers gptq 2 Int4": (
            "internvl2 has no model spec of format gptq; its formats are pytorch, awq."
        ),
        f"{FAMILY} vLLM pytorch 2 8-bit": (
            "vLLM serves internvl2 in format pytorch with quantization none, not 8-bit;"
            " quantization 8-bit is served by Transformers."
        ),
        f"{FAMILY} SGLang pytorch 2 none": (
            "SGLang does not serve internvl2 in format pytorch;"
            " quantization none is served by Transformers, vLLM."
        ),
        "my-internvl2 SGLang pytorch 3 none": (
            "SGLang does not serve internvl2 in format pytorch;"
            " quantization none is served by Transformers, vLLM."
        ),
    }


def test_steps_back_only_for_a_newer_downloaded_record(refreshed: dict[str, Any]) -> None:
    catalogs = refreshed["catalogs"]
    assert catalogs["older"] == {"updated_at": [0], "classes": sorted(CLASSES)}
    assert catalogs["newer"]["updated_at"] == [1]
    assert not CLASSES & set(catalogs["newer"]["classes"])
    assert catalogs["older again"] == catalogs["older"]
    [(level, message)] = refreshed["messages"]
    assert level == "WARNING"
    assert "leaves internvl2 to Xinference, because the downloaded catalog" in message


@pytest.mark.parametrize("switch", [OFF, {}], ids=["alone", "with the automatic way"])
def test_the_official_extension_registers_once(
    installed: Environment, with_plugin: dict[str, Any], tmp_path: Path, switch: dict[str, str]
) -> None:
    found = installed.probe("by_extension", tmp_path, {**EXTENSION, **switch})
    alone = bool(switch)
    assert (found["known before"], found["rebuilt"]) == (not alone, alone)
    assert found["extensions"] == ["xinference-internvl2"]
    assert found["metadata"]["xinference-internvl2"]["model_families"] == sorted(FAMILIES)
    assert found["devices"] == [0, 1]
    assert found["tables"] == with_plugin["here"]
    assert found["messages"] == []
