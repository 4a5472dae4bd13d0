"""Check the data of a spec against `family.schema.json`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from .. import ROOT
from ..problems import Issue
from .schema_messages import issues
from .validator import Check, Fault, compiled

SCHEMA_FILE = ROOT / "family_specs" / "family.schema.json"


def check(data: Any) -> list[Issue]:
    """Return everything that the schema has to say about the data of a spec."""
    faults: list[Fault] = []
    _validator()(data, None, faults)
    return list(dict.fromkeys(issue for fault in faults for issue in issues(fault)))


def is_name(name: str) -> bool:
    """Say whether a family can have this name."""
    faults: list[Fault] = []
    compiled(definition()["properties"]["model_name"])(name, None, faults)
    return not faults


@cache
def definition() -> dict[str, Any]:
    """Return the schema with every reference replaced by what it refers to."""
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    inlined = _inlined(schema, schema.pop("$defs"))
    assert isinstance(inlined, dict)
    return inlined


@cache
def _validator() -> Check:
    return compiled(definition())


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    # Looking a reference up again for every value takes a third of the time of a check. Beside a
    # reference only a description stands, which is nearer to the field than the definition's own.
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    while reference := schema.get("$ref"):
        schema = {k: v for k, v in schema.items() if k != "$ref"}
        schema = definitions[reference.removeprefix("#/$defs/")] | schema
    return {key: _inlined(part, definitions) for key, part in schema.items()}
