"""Check data against a JSON Schema, in the part of the language that the specs' schema uses.

Compiled once, it takes a tenth of the time of jsonschema, to whose verdicts the tests hold it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..problems import Path

# A step with what leads to it: the path to a value is built only where something is wrong.
Link = tuple[Any, str | int] | None
Check = Callable[[Any, Link, list["Fault"]], None]
Schema = Mapping[str, Any]

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
_ANNOTATIONS = {"$schema", "title", "description"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that a keyword of the schema refuses."""

    path: Path
    keyword: str
    value: Any
    schema: Schema
    at_key: bool = False

    @property
    def expected(self) -> Any:
        """What the keyword says."""
        return self.schema[self.keyword]


def compiled(schema: Schema) -> Check:
    """Return the check of a schema; raises `ValueError` for a keyword that is unknown here."""
    if unknown := schema.keys() - _ANNOTATIONS - _KEYWORDS.keys() - {"type", "then"}:
        raise ValueError(f"the keyword {min(unknown)!r} of the schema is unknown; teach it here")
    kind = _TYPES.get(schema.get("type", ""))
    makers = dict.fromkeys(_KEYWORDS[key] for key in schema if key in _KEYWORDS)
    checks = tuple(maker(schema) for maker in makers)

    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        # Exactly the type: True is no number, and 2.0 would be printed as 2.0.
        if kind is not None and type(value) is not kind:
            faults.append(Fault(_path(link), "type", value, schema))
            return
        for part in checks:
            part(value, link, faults)

    return check


def _path(link: Link) -> Path:
    steps: list[str | int] = []
    while link is not None:
        link, step = link
        steps.append(step)
    return tuple(reversed(steps))


def _holds(check: Check, value: Any) -> bool:
    faults: list[Fault] = []
    check(value, None, faults)
    return not faults


def _simple(
    keyword: str, kind: type, test: Callable[[Any, Any], bool]
) -> Callable[[Schema], Check]:
    """Return the maker of a check that compares values of one kind with what the keyword says."""

    def maker(schema: Schema) -> Check:
        expected = schema[keyword]

        def check(value: Any, link: Link, faults: list[Fault]) -> None:
            if isinstance(value, kind) and not test(value, expected):
                faults.append(Fault(_path(link), keyword, value, schema))

        return check

    return maker


def _pattern(schema: Schema) -> Check:
    # In JSON Schema $ is the end of the text; Python's also matches before a last line break.
    pattern = re.compile(schema["pattern"].replace("$", r"\Z"))
    return _simple("pattern", str, lambda value, _: bool(pattern.search(value)))(schema)


def _object(schema: Schema) -> Check:
    properties = {key: compiled(part) for key, part in schema.get("properties", {}).items()}
    others = schema.get("additionalProperties", True)
    other = compiled(others) if isinstance(others, dict) else None
    closed = others is False

    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        if not isinstance(value, dict):
            return
        unknown = False
        for key, inner in value.items():
            known = properties.get(key, other)
            if known is not None:
                known(inner, (link, key), faults)
            else:
                unknown = True
        if unknown and closed:
            faults.append(Fault(_path(link), "additionalProperties", value, schema))

    return check


def _property_names(schema: Schema) -> Check:
    name = compiled(schema["propertyNames"])

    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        found: list[Fault] = []
        for key in value if isinstance(value, dict) else ():
            name(key, (link, key), found)
        faults += [Fault(f.path, f.keyword, f.value, f.schema, at_key=True) for f in found]

    return check


def _items(schema: Schema) -> Check:
    item = compiled(schema["items"])

    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        if isinstance(value, list):
            for index, inner in enumerate(value):
                item(inner, (link, index), faults)

    return check


def _unique_items(schema: Schema) -> Check:
    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        seen: set[tuple[type, Any]] = set()
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, str | int):
                if (key := (type(item), item)) in seen:
                    faults.append(Fault((*_path(link), index), "uniqueItems", item, schema))
                seen.add(key)

    return check


def _any_of(schema: Schema) -> Check:
    options = [compiled(part) for part in schema["anyOf"]]

    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        if not any(_holds(option, value) for option in options):
            faults.append(Fault(_path(link), "anyOf", value, schema))

    return check


def _all_of(schema: Schema) -> Check:
    parts = [compiled(part) for part in schema["allOf"]]

    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        for part in parts:
            part(value, link, faults)

    return check


def _if(schema: Schema) -> Check:
    condition, consequence = compiled(schema["if"]), compiled(schema["then"])

    def check(value: Any, link: Link, faults: list[Fault]) -> None:
        if _holds(condition, value):
            consequence(value, link, faults)

    return check


def _all_present(value: Any, keys: list[str]) -> bool:
    return all(key in value for key in keys)


def _dependents_present(value: Any, needed: Mapping[str, list[str]]) -> bool:
    return all(_all_present(value, keys) for key, keys in needed.items() if key in value)


_KEYWORDS: dict[str, Callable[[Schema], Check]] = {
    "properties": _object,
    "additionalProperties": _object,
    "propertyNames": _property_names,
    "required": _simple("required", dict, _all_present),
    "dependentRequired": _simple("dependentRequired", dict, _dependents_present),
    "minProperties": _simple("minProperties", dict, lambda value, least: len(value) >= least),
    "items": _items,
    "uniqueItems": _unique_items,
    "minItems": _simple("minItems", list, lambda value, least: len(value) >= least),
    "minLength": _simple("minLength", str, lambda value, least: len(value) >= least),
    "maxLength": _simple("maxLength", str, lambda value, most: len(value) <= most),
    "minimum": _simple("minimum", int, lambda value, least: value >= least),
    "pattern": _pattern,
    "enum": _simple("enum", object, lambda value, options: value in options),
    "const": _simple("const", object, lambda value, only: bool(value == only)),
    "anyOf": _any_of,
    "allOf": _all_of,
    "if": _if,
}
