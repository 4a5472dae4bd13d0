"""Check the data of a spec against `family.schema.json`.

Two libraries read it. jsonschema says what is wrong where, and takes 5 ms for a family.
jsonschema-rs takes 0.1 ms to say whether something is: valid ones of many specs pass by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from ..paths import SCHEMA_FILE
from ..problems import Issue
from .schema_messages import Fault, describe

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


def check(data: Any) -> list[Issue]:
    """Return everything that the schema has to say about the data of a spec."""
    faults = [_make_fault(error) for error in _make_validator().iter_errors(data)]
    # What is of another type than it must be is told that alone.
    mistyped = {fault.path for fault in faults if fault.keyword == "type"}
    told = [f for f in faults if f.keyword == "type" or f.path not in mistyped]
    return list(dict.fromkeys(issue for fault in told for issue in describe(fault)))


def _make_fault(error: ValidationError) -> Fault:
    path, at_key = tuple(error.absolute_path), "propertyNames" in error.absolute_schema_path
    return Fault(
        path=(*path, str(error.instance)) if at_key else path,
        keyword=str(error.validator),
        value=error.instance,
        expected=error.validator_value,
        schema=cast("Mapping[str, Any]", error.schema),
        at_key=at_key,
    )


def is_valid(data: Any) -> bool:
    """Say whether the schema has nothing to say about the data of a spec."""
    # The libraries differ in one thing: to jsonschema-rs 2.0 is a whole number.
    return not _has_fraction(data) and bool(_make_fast_validator().is_valid(data))


def is_name(name: str) -> bool:
    """Say whether a family can have this name."""
    return (
        _make_validator()
        .evolve(schema=load_definition()["properties"]["model_name"])
        .is_valid(name)
    )


@cache
def load_definition() -> dict[str, Any]:
    """Return the schema with every reference replaced by what it refers to."""
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    inlined = _inline(schema, schema.pop("$defs"))
    assert isinstance(inlined, dict)
    return inlined


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:
    # Looking a reference up again for every value takes half of the time of a check. What stands
    # beside a reference, such as a description, is nearer to the field than the definition's own.
    if isinstance(schema, list):
        return [_inline(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    while reference := schema.get("$ref"):
        schema = {k: v for k, v in schema.items() if k != "$ref"}
        schema = definitions[reference.removeprefix("#/$defs/")] | schema
    return {key: _inline(part, definitions) for key, part in schema.items()}


@cache
def _make_validator() -> Validator:
    from jsonschema import Draft202012Validator, validators

    whole = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, v: type(v) is int)
    strict = validators.extend(
        Draft202012Validator, {"pattern": _check_pattern}, type_checker=whole
    )
    return cast("Validator", strict(load_definition()))


def _check_pattern(_: Validator, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    # In JSON Schema $ is the end of the text; Python's also matches before a last line break.
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


@cache
def _make_fast_validator() -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(load_definition())


def _has_fraction(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_fraction, value.values()))
    return any(map(_has_fraction, value)) if isinstance(value, list) else isinstance(value, float)
