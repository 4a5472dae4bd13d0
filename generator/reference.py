"""The reference of all fields of a spec, from the descriptions of its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .page import escape, rule
from .schema import definition

REFERENCE = "docs/reference/spec.rst"

_INTRODUCTION = """\
A family is described by one YAML file in ``family_specs/``. This page is generated from
``family.schema.json`` beside it, which editors read too: the first line of a spec names it."""

_KINDS = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "boolean": "true or false",
    "integer": "whole number",
}


def reference() -> str:
    """Return the page, in reStructuredText."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    title = "Spec reference"
    yield from (".. _spec_reference:", "", title, rule(title, "="), "", _INTRODUCTION, "")
    sections = dict(_sections("A family", definition()))
    for heading, schema in sections.items():
        yield from (heading, rule(heading, "-"), "")
        yield from (f"{_sentence(schema['description'])}", "")
        yield from _section(schema)


def _sections(heading: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every mapping with keys of its own, by the first place where it stands."""
    yield heading, schema
    for name, field in schema["properties"].items():
        inner = _mapping(field)
        if inner is not None:
            yield from _sections(f"``{name}``", inner)


def _mapping(field: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the mapping that a field is, lists or names."""
    if field.get("type") == "array":
        return _mapping(field["items"])
    if isinstance(field.get("additionalProperties"), dict):
        return _mapping(field["additionalProperties"])
    return field if "properties" in field else None


def _section(schema: Mapping[str, Any]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        needed = ", required" if name in required else ""
        yield f"``{name}``"
        yield f"   *{_kind(field)}{needed}.* {_sentence(field['description'])}"
        values = field.get("enum") or field.get("items", {}).get("enum") or ()
        if texts := [value for value in values if isinstance(value, str)]:
            yield f"   One of {_literals(texts)}."
        yield ""


def _kind(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(option) for option in field["anyOf"])
    kind = _KINDS[field["type"]]
    if field["type"] == "array":
        return f"{kind} of {_KINDS[field['items']['type']]}"
    return kind


def _sentence(description: str) -> str:
    text = escape(description.strip())
    return f"{text[0].upper()}{text[1:]}."


def _literals(values: list[str]) -> str:
    return ", ".join(f"``{value}``" for value in values)
