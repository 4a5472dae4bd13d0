"""The schema: closed, described, and each field with an example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from generator.spec.schema import SCHEMA_FILE, check
from tests.unit.generator.specs import RICH, load_data


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
