"""The parts of the generator: scalars, schema, and the text of a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from generator import yamltree
from generator.model import EngineSupport, ModelSpec, Source, family
from generator.page import engines_line, escape, page, rule
from generator.registration import registration
from generator.scalars import resolve, text
from generator.schema import SCHEMA_FILE, check


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("1_8", "1_8"),
        ("0_5", "0_5"),
        ("18", 18),
        ("-3", -3),
        ("007", 7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("1.2.3", "1.2.3"),
        ("4-bit", "4-bit"),
        ("=", "="),
        (".inf", float("inf")),
    ],
)
def test_resolve(plain: str, value: object) -> None:
    assert resolve(plain) == value
    assert type(resolve(plain)) is type(value)


def test_half_a_character_of_the_pure_parser() -> None:
    with pytest.raises(ValueError, match=r"\\ud800 is only half a character"):
        text("a\ud800")


def test_pure_parser_gives_the_same(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, _ = yamltree.compose(base)
    monkeypatch.setattr(yamltree, "_Loader", yaml.SafeLoader)
    slow, _ = yamltree.compose(base)
    assert slow == fast
    with pytest.raises(yamltree.YamlError, match="nested deeper"):
        yamltree.compose("[" * 1000)
    assert [issue for *_, issue in yamltree.compose('"\\ud800"')[1]]


def test_positions_are_beside_the_data(base: str) -> None:
    root, issues = yamltree.compose(base)
    assert issues == []
    assert root.keys["model_lang"] == (4, 1)
    lang = root.children["model_lang"].children[1]
    assert (lang.value, lang.line, lang.column) == ("zh", 4, 18)
    assert "__line__" not in json.dumps(root.value)


def _schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema that describes a value, so not those of conditions."""
    yield part
    for key in ("properties", "$defs"):
        for child in part.get(key, {}).values():
            yield from _schemas(child)
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(part.get(key), dict):
            yield from _schemas(part[key])


def test_schema_is_a_closed_and_described_schema() -> None:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    for part in _schemas(schema):
        assert part.get("description") or part.keys() == {"$ref"}, part
        if part.get("type") == "object":
            assert "additionalProperties" in part, part
            assert part["additionalProperties"] is not True, part


def test_schema_accepts_what_the_generator_accepts(base: str) -> None:
    # An editor reads the schema without the keywords that the generator replaces.
    data = yamltree.compose(base)[0].value
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(data)) == check(data) == []
    data["model_specs"][0]["quantizations"] = ["none", "none"]
    assert len(list(Draft202012Validator(schema).iter_errors(data))) == len(check(data)) == 1


def _keys(value: Any) -> set[str]:
    if isinstance(value, list):
        return {key for item in value for key in _keys(item)}
    if isinstance(value, dict):
        return {key for name, inner in value.items() for key in {name} | _keys(inner)}
    return set()


def test_every_field_has_an_example(base: str) -> None:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    known = {key for part in _schemas(schema) for key in part.get("properties", {})}
    rich = Path(__file__).with_name("rich.yaml").read_text("utf-8")
    used = {key for text in (base, rich) for key in _keys(yamltree.compose(text)[0].value)}
    assert known - used == {"SGLang", "MLX", "LMDEPLOY", "TRT-LLM"}


def _engines_line(**engines: str) -> str:
    support = tuple(EngineSupport(name, tuple(q.split())) for name, q in engines.items())
    quantizations = ("4-bit", "8-bit", "none")
    source = Source("huggingface", "owner/name", None, quantizations)
    spec = ModelSpec("pytorch", 7, quantizations, (source,), None, support)
    return engines_line(spec, quantizations)


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
def test_engines_line(engines: dict[str, str], line: str) -> None:
    assert _engines_line(**engines) == line


@pytest.mark.parametrize(
    ("title", "width"), [("short", 40), ("x" * 41, 41), ("数" * 20, 40), ("数" * 21, 42), ("é", 40)]
)
def test_rule_is_as_wide_as_the_title(title: str, width: int) -> None:
    assert rule(title, "=") == "=" * width


MARKUP = [
    ("plain (MLLM), a_b c-d 1.5", "plain (MLLM), a_b c-d 1.5"),
    ("Qwen3_5Moe", "Qwen3_5Moe"),
    ("name_", r"name\_"),
    ("name__", r"name\_\_"),
    ("[1]_", r"[1]\_"),
    ("*a* **b**", r"\*a\* \*\*b\*\*"),
    ("`a`", r"\`a\`"),
    ("|a|", r"\|a\|"),
    ("a\\b", r"a\\b"),
    ("as follows::", r"as follows:\:"),
    ("a::b", "a::b"),
]


@pytest.mark.parametrize(("plain", "escaped"), MARKUP)
def test_escape(plain: str, escaped: str) -> None:
    assert escape(plain) == escaped


@pytest.mark.parametrize("plain", [plain for plain, _ in MARKUP])
def test_docutils_reads_the_text_back(plain: str) -> None:
    core = pytest.importorskip("docutils.core")
    source = f"- **Description:** {escape(plain)}\n\nTitle\n^^^^^\n\ntext\n"
    tree = core.publish_doctree(source, settings_overrides={"halt_level": 2})
    assert f"Description: {plain}\n" in tree.astext()


def test_page_shows_the_quantizations_of_the_hub_that_it_shows_first() -> None:
    rich = Path(__file__).with_name("rich.yaml").read_text("utf-8")
    data = yamltree.compose(rich)[0].value
    spec = data["model_specs"][0]
    spec["published_engines"] = {"llama.cpp": ["Q8_0", "Q6_K"], "vLLM": ["Q8_0"]}
    # On the page stand those of Hugging Face; then, without it, those of ModelScope.
    lines = page(family(data)).splitlines()
    assert "- **Quantizations:** Q4_0, Q8_0" in lines
    note = "llama.cpp only available for quantizations Q8_0 and Q6_K"
    rest = "vLLM only available for quantization Q8_0"
    assert f"- **Engines**: llama.cpp, vLLM ({note}; {rest})" in lines
    del spec["model_src"]["huggingface"]
    lines = page(family(data)).splitlines()
    assert "- **Quantizations:** Q8_0, Q6_K" in lines
    assert f"- **Engines**: llama.cpp, vLLM ({rest})" in lines
    assert "- **Model ID:** owner/rich" in lines


def test_what_a_hub_says_holds_there() -> None:
    rich = Path(__file__).with_name("rich.yaml").read_text("utf-8")
    record = registration(family(yamltree.compose(rich)[0].value))["model_specs"][0]
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
    data = yamltree.compose(base)[0].value
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
    sources = registration(family(data))["model_specs"][0]["model_src"]
    assert sources["huggingface"]["model_metadata"] == {"vocab_size": 1, "head_dim": 2}
    assert sources["modelscope"]["model_metadata"] == {"vocab_size": 1, "head_dim": 3}
    assert "model_metadata" not in sources["csghub"]
    assert sources["csghub"]["model_metadata_by_quantization"] == {
        "none": {"vocab_size": 4, "head_dim": 3},
        "4-bit": {"vocab_size": 1, "head_dim": 3},
    }
