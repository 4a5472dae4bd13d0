"""The loaders' data: what the plugin reads of it, and nothing that it does not."""

from __future__ import annotations

from dataclasses import fields

from generator.family.model import PromptFormat, make_family
from generator.outputs.loader_data import make_loader_data
from tests.unit.generator.specs import load_data
from xinference_internvl2.families import records


def test_both_sides_mean_the_same_by_a_prompt_format() -> None:
    ours, theirs = (
        {field.name: field.type for field in fields(kind)}
        for kind in (PromptFormat, records.PromptFormat)
    )
    assert ours == theirs


def test_the_plugin_reads_every_key(base: str) -> None:
    data = make_loader_data(make_family(load_data(base)))
    read = records._parse_runtime(data)
    assert data.keys() == {field.name for field in fields(read)}
    (spec,) = data["model_specs"]
    assert spec.keys() | {"memory"} == {field.name for field in fields(read.model_specs[0])}
    assert read.model_specs[0].engines == {"Transformers": ("4-bit", "none"), "vLLM": ("none",)}
    assert read.prompt_formats["plain"] == records.PromptFormat(
        name="plain",
        system_text="Be kind.",
        roles={"system": "S:", "user": "U:", "assistant": "A:"},
        turn_end="<end>",
        stop=("<end>",),
    )
    assert data["prompt_formats"]["plain"]["image_labels"] is True


def test_a_prompt_format_says_whether_images_have_labels(base: str) -> None:
    without = base.replace("turn_end: ", "image_labels: false\n    turn_end: ", 1)
    read = records._parse_runtime(make_loader_data(make_family(load_data(without))))
    assert read.prompt_formats["plain"].image_labels is False
