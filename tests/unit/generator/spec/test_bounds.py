"""Every bound of a spec: what stands at it passes, what stands one beyond it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.problems import ReadError, format_path
from generator.spec import text_file
from generator.spec.check_against_schema import SCHEMA_FILE, check, is_valid
from generator.spec.text_file import read_text
from generator.spec.yaml_reader import compose
from generator.spec.yaml_scalars import resolve_plain
from generator.wording import find_nearest, show
from tests.unit.generator.specs import RICH, load_data

KEYWORDS = {"minLength", "maxLength", "minimum", "minItems", "minProperties"}
GGUF = ("model_specs", 0)
FORMAT = {"system_text": "", "roles": dict.fromkeys(("system", "user", "assistant"), "")}
FORMAT |= {"turn_end": "", "stop": []}
# Where the schema says it, a place in a spec, and what stands there at the bound and beyond.
BOUNDS: dict[str, tuple[tuple[str | int, ...], Any, Any]] = {
    "model_name.maxLength": (("model_name",), "a" * 100, "a" * 101),
    "updated_at.minimum": (("updated_at",), 0, -1),
    "context_length.minimum": (("context_length",), 1, 0),
    "model_lang.minItems": (("model_lang",), ["en"], []),
    "model_ability.minItems": (("model_ability",), ["chat"], []),
    "architectures.minItems": (("architectures",), ["A"], []),
    "stop_token_ids.items.minimum": (("stop_token_ids",), [0], [-1]),
    "reasoning_start_tag.minLength": (("reasoning_start_tag",), "<", ""),
    "reasoning_end_tag.minLength": (("reasoning_end_tag",), "<", ""),
    "cache_config.minProperties": (("cache_config",), {"allow_patterns": ["*"]}, {}),
    "prompt_style.roles.minItems": (("prompt_style", "roles"), ["user"], []),
    "prompt_style.roles.items.minLength": (("prompt_style", "roles"), ["u"], [""]),
    "prompt_formats.minProperties": (("prompt_formats",), {"plain": FORMAT}, {}),
    "vision_towers.minProperties": (("vision_towers",), load_data(RICH)["vision_towers"], {}),
    "model_specs.minItems": (("model_specs",), load_data(RICH)["model_specs"][:1], []),
    "$defs.line.minLength": (("model_description",), "a", ""),
    "$defs.lines.minItems": ((*GGUF, "multimodal_projectors"), ["a"], []),
    "$defs.identifier.maxLength": (("model_type",), "a" * 100, "a" * 101),
    "$defs.stop.items.minLength": (("stop",), ["a"], [""]),
    "$defs.modelSpec.model_src.minProperties": (
        (*GGUF, "model_src"),
        {"huggingface": {"model_id": "a/b"}},
        {},
    ),
    "$defs.modelSpec.engines.minProperties": (
        ("model_specs", 2, "engines"),
        {"Transformers": ["none"]},
        {},
    ),
    "$defs.size.anyOf.minimum": ((*GGUF, "model_size_in_billions"), 1, 0),
    "$defs.repository.maxLength": (
        (*GGUF, "model_src", "huggingface", "model_id"),
        "a/" + "b" * 198,
        "a/" + "b" * 199,
    ),
    "$defs.revision.maxLength": (
        (*GGUF, "model_src", "modelscope", "model_revision"),
        "a" * 200,
        "a" * 201,
    ),
    "$defs.quantizations.minItems": ((*GGUF, "draft_quantizations"), ["BF16"], []),
    "$defs.quantizationParts.of each.minItems": (
        (*GGUF, "quantization_parts"),
        {"Q8_0": ["a"]},
        {"Q8_0": []},
    ),
    "$defs.draftTemplate.minLength": ((*GGUF, "draft_model_file_name_template"), "a", ""),
    "$defs.metadataByQuantization.minProperties": (
        (*GGUF, "model_metadata_by_quantization"),
        {"Q8_0": {}},
        {},
    ),
    "$defs.count.minimum": ((*GGUF, "model_metadata", "head_dim"), 1, 0),
    "$defs.served.minItems": ((*GGUF, "published_engines"), {"vLLM": ["Q4_0"]}, {"vLLM": []}),
}
# The lengths that patterns say.
PATTERNS: list[tuple[tuple[str | int, ...], Any, Any]] = [
    (("model_lang",), ["en"], ["e"]),
    (("model_lang",), ["yue"], ["yuee"]),
    (("model_name",), "a", ""),
    (("model_type",), "a", ""),
    ((*GGUF, "model_size_in_billions"), "1_8", "1_"),
    ((*GGUF, "model_size_in_billions"), "0_5", "_5"),
    ((*GGUF, "model_src", "huggingface", "model_id"), "a/b", "a"),
    ((*GGUF, "model_src", "huggingface", "model_id"), "a/b/c", "a/b/c/d"),
    ((*GGUF, "model_src", "modelscope", "model_revision"), "a", ""),
    ((*GGUF, "model_metadata", "config_sha256"), "a" * 64, "a" * 63),
    ((*GGUF, "model_metadata", "config_sha256"), "0" * 64, "0" * 65),
]


def _with(path: tuple[str | int, ...], value: Any) -> Any:
    # Aliases are written out: a change of one place is of that place alone.
    data = json.loads(json.dumps(load_data(RICH)))
    *most, last = path
    place = data
    for step in most:
        place = place[step]
    place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "at", "beyond"), [*BOUNDS.values(), *PATTERNS], ids=[*BOUNDS, *map(str, PATTERNS)]
)
def test_bound_of_the_schema(path: tuple[str | int, ...], at: Any, beyond: Any) -> None:
    assert (check(_with(path, at)), is_valid(_with(path, at))) == ([], True)
    assert len(check(_with(path, beyond))) == 1
    assert not is_valid(_with(path, beyond))


def _bounds(schema: Any, name: str = "") -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _bounds(part, name)
    if not isinstance(schema, dict):
        return
    yield from (f"{name}.{key}" for key in schema if key in KEYWORDS)
    for key in ("properties", "$defs"):
        for child, part in schema.get(key, {}).items():
            start = f"{name}." if name else "$defs." if key == "$defs" else ""
            yield from _bounds(part, start + child)
    for key in ("items", "anyOf", "propertyNames"):
        yield from _bounds(schema.get(key), f"{name}.{key}")
    yield from _bounds(schema.get("additionalProperties"), f"{name}.of each")


def test_every_bound_of_the_schema_is_here() -> None:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    assert sorted(_bounds(schema)) == sorted(BOUNDS)


def test_size_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"#" * 16)
    assert read_text(path, 16) == "#" * 16
    with pytest.raises(ReadError, match="larger than"):
        read_text(path, 15)
    assert text_file.MAX_BYTES == 1 << 20


@pytest.mark.parametrize("levels", [32, 33])
def test_nesting(levels: int) -> None:
    for text in ("[" * levels + "]" * levels, "- " * levels + "a"):
        # The root is at level 0: what it holds may be 32 deep, a scalar included.
        deep = levels - ("a" not in text)
        if deep <= 32:
            compose(text)
        else:
            with pytest.raises(ReadError, match="nested deeper than 32 levels"):
                compose(text)


def test_number_of_values() -> None:
    # The list and its items: 50,000 in all.
    compose("[" + "x," * 49_999 + "]")
    with pytest.raises(ReadError, match="more than 50000 values"):
        compose("[" + "x," * 50_000 + "]")


def test_number_of_values_with_aliases_written_out() -> None:
    # The root, its two keys, a list, and in all 116 times the list of 430 items: 50,000.
    start = "a: &a [" + "x," * 430 + "]\nb: [" + "*a," * 115
    compose(start + "]")
    with pytest.raises(ReadError, match="more than 50000 values"):
        compose(start + "x]")


def test_number_of_values_with_aliases_of_mappings() -> None:
    # The root, its two keys, a mapping of three, a list with 16,664 times that and a text: 50,000.
    start = "a: &a {k: v}\nb: [" + "*a," * 16_664 + "x,"
    compose(start + "]")
    with pytest.raises(ReadError, match="more than 50000 values"):
        compose(start + "x]")


def test_digits_of_a_number() -> None:
    assert resolve_plain("9" * 18) == 10**18 - 1
    with pytest.raises(ValueError, match="a number of 19 digits is too large"):
        resolve_plain("9" * 19)


def test_positions_begin_at_1() -> None:
    root, _ = compose("a: b")
    assert (root.line, root.column, root.keys["a"]) == (1, 1, (1, 1))
    assert (root.children["a"].line, root.children["a"].column) == (1, 4)


def test_what_a_message_shows() -> None:
    assert show("a" * 60) == repr("a" * 60)
    assert show("a" * 61) == repr("a" * 60 + "…")
    assert format_path(("a" * 61,)) == "$." + "a" * 60
    assert find_nearest("a" * 60, ("a" * 59,)) == "a" * 59
    assert find_nearest("a" * 61, ("a" * 59,)) is None
