"""The reference of all fields of a spec, from the descriptions of its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..spec.check_against_schema import load_definition
from .rst import escape, make_rule

Schema = Mapping[str, Any]

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


def render_reference() -> str:
    """Return the page, in reStructuredText."""
    return "\n".join(_render_lines()) + "\n"


def _render_lines() -> Iterator[str]:
    title = "Spec reference"
    yield from (".. _spec_reference:", "", title, make_rule(title, "="), "", _INTRODUCTION, "")
    sections: dict[str, Schema] = {}
    _collect("A family", load_definition(), sections)
    for heading, schema in sections.items():
        yield from (f".. _{_make_label(heading)}:", "", heading, make_rule(heading, "-"), "")
        yield from (_format_sentence(schema["description"]), "")
        yield from _render_section(schema, sections)


def _collect(heading: str, schema: Schema, sections: dict[str, Schema]) -> None:
    """Collect every mapping with keys of its own, by the first place where it stands."""
    sections[heading] = schema
    for name, field in schema["properties"].items():
        inner = _find_mapping(field)
        if inner is not None and _find_heading(inner, sections) is None:
            _collect(f"``{name}``", inner, sections)


def _find_heading(schema: Schema, sections: Mapping[str, Schema]) -> str | None:
    """Return the section with the keys of a mapping: the hubs, say, have all the same ones."""
    same = (h for h, known in sections.items() if known["properties"] == schema["properties"])
    return next(same, None)


def _make_label(heading: str) -> str:
    return f"spec-{re.sub('[^a-z]+', '-', heading.lower()).strip('-')}"


def _find_mapping(field: Schema) -> Schema | None:
    """Return the mapping that a field is, lists or names."""
    if field.get("type") == "array":
        return _find_mapping(field["items"])
    if isinstance(field.get("additionalProperties"), dict):
        return _find_mapping(field["additionalProperties"])
    return field if "properties" in field else None


def _render_section(schema: Schema, sections: Mapping[str, Schema]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        needed = ", required" if name in required else ""
        yield f"``{name}``"
        yield f"   *{_describe_kind(field)}{needed}.* {_format_sentence(field['description'])}"
        values = field.get("enum") or field.get("items", {}).get("enum") or ()
        if texts := [value for value in values if isinstance(value, str)]:
            yield f"   One of {_format_literals(texts)}."
        inner = _find_mapping(field)
        if inner is not None and (heading := _find_heading(inner, sections)):
            yield f"   `Its keys <{_make_label(heading)}_>`__ have a section of their own."
        yield ""


def _describe_kind(field: Schema) -> str:
    if "anyOf" in field:
        return " or ".join(_describe_kind(option) for option in field["anyOf"])
    kind = _KINDS[field["type"]]
    if field["type"] == "array":
        return f"{kind} of {_KINDS[field['items']['type']]}"
    return kind


def _format_sentence(description: str) -> str:
    text = escape(description.strip())
    return f"{text[0].upper()}{text[1:]}."


def _format_literals(values: list[str]) -> str:
    return ", ".join(f"``{value}``" for value in values)
