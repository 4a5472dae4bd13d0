"""The reference of all fields of a spec, from the descriptions of its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..spec.schema import definition
from .rst import escape, rule

Schema = Mapping[str, Any]

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
    sections: dict[str, Schema] = {}
    _collect("A family", definition(), sections)
    for heading, schema in sections.items():
        yield from (f".. _{_label(heading)}:", "", heading, rule(heading, "-"), "")
        yield from (_sentence(schema["description"]), "")
        yield from _section(schema, sections)


def _collect(heading: str, schema: Schema, sections: dict[str, Schema]) -> None:
    """Collect every mapping with keys of its own, by the first place where it stands."""
    sections[heading] = schema
    for name, field in schema["properties"].items():
        inner = _mapping(field)
        if inner is not None and _heading(inner, sections) is None:
            _collect(f"``{name}``", inner, sections)


def _heading(schema: Schema, sections: Mapping[str, Schema]) -> str | None:
    """Return the section with the keys of a mapping: the hubs, say, have all the same ones."""
    same = (h for h, known in sections.items() if known["properties"] == schema["properties"])
    return next(same, None)


def _label(heading: str) -> str:
    return f"spec-{re.sub('[^a-z]+', '-', heading.lower()).strip('-')}"


def _mapping(field: Schema) -> Schema | None:
    """Return the mapping that a field is, lists or names."""
    if field.get("type") == "array":
        return _mapping(field["items"])
    if isinstance(field.get("additionalProperties"), dict):
        return _mapping(field["additionalProperties"])
    return field if "properties" in field else None


def _section(schema: Schema, sections: Mapping[str, Schema]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        needed = ", required" if name in required else ""
        yield f"``{name}``"
        yield f"   *{_kind(field)}{needed}.* {_sentence(field['description'])}"
        values = field.get("enum") or field.get("items", {}).get("enum") or ()
        if texts := [value for value in values if isinstance(value, str)]:
            yield f"   One of {_literals(texts)}."
        inner = _mapping(field)
        if inner is not None and (heading := _heading(inner, sections)):
            yield f"   `Its keys <{_label(heading)}_>`__ have a section of their own."
        yield ""


def _kind(field: Schema) -> str:
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
