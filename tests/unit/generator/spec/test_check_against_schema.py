"""The schema: closed, described, and each field with an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators

from generator.spec.check_against_schema import SCHEMA_FILE, check, is_name, is_valid
from tests.unit.generator.mutations import mutated
from tests.unit.generator.specs import BASE, RICH, load_data


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
    data = load_data(base)
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
    used = {key for text in (base, RICH) for key in _keys(load_data(text))}
    assert known - used == {"SGLang", "MLX", "LMDEPLOY", "TRT-LLM"}


DATA = [load_data(text) for text in (BASE, RICH)]

# What the generator counts in its own way: 2.0 is no whole number.
STRICT: Any = validators.extend(
    Draft202012Validator,
    {"pattern": lambda _v, p, value, _s: _pattern(p, value)},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _checker, value: type(value) is int
    ),
)


def _pattern(pattern: str, value: Any) -> Iterator[ValidationError]:
    # In JSON Schema $ is the end of the text; Python's also matches before a last line break.
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield ValidationError("")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(DATA).flatmap(mutated))
def test_both_libraries_agree_with_the_schema_as_it_is_written(data: Any) -> None:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    assert STRICT(schema).is_valid(data) == (not check(data)) == is_valid(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("context_length", 4096.0),
        ("context_length", True),
        ("context_length", 0),
        ("model_name", "base\n"),
        ("model_name", "ba\u00e9"),
        ("model_name", "base.runtime"),
        ("model_name", "base-ENGINES"),
        ("model_name", "数"),
        ("model_description", "a\u2028b"),
        ("model_description", "a\x00b"),
        ("model_description", ""),
        ("model_lang", ["en", "en"]),
        ("featured", 1),
        ("stop_token_ids", [1, 1]),
        ("stop_token_ids", [10**30, -1]),
    ],
)
def test_both_libraries_refuse_the_same(key: str, value: Any, base: str) -> None:
    data = load_data(base)
    assert is_valid(data) is True
    assert is_valid(data | {key: value}) is False
    assert check(data | {key: value})


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a", True),
        ("A.b_c-1", True),
        ("a" * 100, True),
        ("a" * 101, False),
        ("", False),
        (".a", False),
        ("a/b", False),
        ("a.runtime", False),
        ("a\n", False),
    ],
)
def test_names(name: str, valid: bool) -> None:
    assert is_name(name) is valid
