"""Which entries of older registrations are one checkpoint, on one hub or on several."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from generator.importing.merge_entries import merge_entries


def _one_hub(quantization: str, **more: Any) -> dict[str, Any]:
    entry = {"model_format": "pytorch", "model_size_in_billions": 7, "model_id": "a/b"}
    return entry | {"quantization": quantization} | more


@pytest.mark.parametrize(
    ("more", "count"), [({}, 1), ({"model_revision": "dev"}, 2), ({"model_id": "a/c"}, 2)]
)
def test_entries_of_one_repository_are_one_checkpoint(more: dict[str, str], count: int) -> None:
    record = {"model_specs": [_one_hub("4-bit"), _one_hub("none", **more)]}
    modern, issues = merge_entries(record, None)
    assert len(modern["model_specs"]) == count
    assert issues == []


def test_another_hub_belongs_where_most_quantizations_are_the_same() -> None:
    first = _one_hub("", quantizations=["4-bit", "fp8"], model_id="a/first")
    second = _one_hub("", quantizations=["4-bit", "8-bit"], model_id="a/second")
    other = copy.deepcopy(second) | {"model_id": "m/second"}
    modern, _ = merge_entries(
        {"model_specs": [first, second]}, {"model_specs": [{"model_hub": "modelscope"} | other]}
    )
    hubs = [list(spec["model_src"]) for spec in modern["model_specs"]]
    assert hubs == [["huggingface"], ["huggingface", "modelscope"]]


def test_a_hub_that_shares_no_quantization_is_a_checkpoint_of_its_own() -> None:
    first, other = _one_hub("4-bit"), _one_hub("8-bit", model_hub="modelscope")
    modern, _ = merge_entries({"model_specs": [first, other]}, None)
    assert [list(spec["model_src"]) for spec in modern["model_specs"]] == [
        ["huggingface"],
        ["modelscope"],
    ]


def test_a_field_that_differs_in_the_catalog_of_modelscope_is_named() -> None:
    first = {"model_lang": ["en"], "context_length": 8, "model_specs": [_one_hub("none")]}
    other = {"model_lang": ["zh"], "context_length": 8, "model_specs": []}
    _, issues = merge_entries(first, other)
    assert [issue.path for issue in issues] == [("model_lang",)]
