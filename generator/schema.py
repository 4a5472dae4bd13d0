"""Check the data of a spec against `family.schema.json`, and say what is wrong in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from .problems import Issue, Path, listed, nearest, shown, suggestion

SCHEMA_FILE = FilePath(__file__).parent.parent / "family_specs" / "family.schema.json"

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
}
_KIND_OF = {str: "text", int: "a whole number", float: "a fraction"}


def check(data: Any) -> list[Issue]:
    """Return everything that the schema has to say about the data of a spec."""
    issues = (issue for error in _validator().iter_errors(data) for issue in _issues(error))
    return list(dict.fromkeys(issues))


@cache
def _validator() -> Any:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    schema = _inlined(schema, schema.pop("$defs"))
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    keywords = {"uniqueItems": _unique_items, "pattern": _pattern}
    extend: Any = validators.extend
    return extend(Draft202012Validator, keywords, type_checker=types)(schema)


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    # Looking a reference up again for every value takes a third of the time of a check. Beside a
    # reference only a description stands, which is nearer to the field than the definition's own.
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        schema = {k: v for k, v in schema.items() if k != "$ref"}
        schema = definitions[reference.removeprefix("#/$defs/")] | schema
    return {key: _inlined(part, definitions) for key, part in schema.items()}


def _is_integer(_checker: Any, value: object) -> bool:
    # JSON Schema counts 2.0 as an integer, but the outputs would print it as 2.0.
    return isinstance(value, int) and not isinstance(value, bool)


def _unique_items(_v: Any, unique: bool, value: Any, _s: Any) -> Iterator[ValidationError]:
    # jsonschema's own does not name the item, and takes quadratic time for a list of mixed types.
    if unique and isinstance(value, list):
        seen: set[str] = set()
        for index, item in enumerate(value):
            if isinstance(item, str | int):
                if (key := f"{type(item).__name__} {item}") in seen:
                    yield ValidationError("", path=[index], instance=item)
                seen.add(key)


def _pattern(_v: Any, pattern: str, value: Any, _s: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError("")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # In JSON Schema $ is the end of the text; Python's also matches before a last line break.
    return re.compile(pattern.replace("$", r"\Z"))


def _issues(error: Any) -> Iterator[Issue]:
    path = tuple(error.absolute_path)
    issues = _WORDING.get(error.validator, _misfit)(path, error)
    if "propertyNames" in error.absolute_schema_path:
        issues = (Issue((*path, error.instance), i.message, at_key=True) for i in issues)
    yield from issues


def _additional(path: Path, error: Any) -> Iterator[Issue]:
    known, absent = _keys(error)
    for key in error.instance:
        if key not in known:
            hint = suggestion(key, absent) or f"; the keys here are {listed(known)}"
            yield Issue((*path, key), f"unknown key{hint}", at_key=True)


def _required(path: Path, error: Any) -> Iterator[Issue]:
    known, absent = _keys(error)
    # A mistyped key is one mistake: it is named once, as unknown.
    meant = {nearest(key, absent) for key in error.instance if key not in known}
    for key in error.validator_value:
        if key in absent and key not in meant:
            yield Issue(path, f"missing key {key!r}; add it")


def _dependent(path: Path, error: Any) -> Iterator[Issue]:
    for present, needed in error.validator_value.items():
        for key in needed:
            if present in error.instance and key not in error.instance:
                together = listed(sorted([present, *needed]))
                yield Issue(path, f"missing key {key!r}; {together} come together, add it")


def _keys(error: Any) -> tuple[list[str], tuple[str, ...]]:
    known = list(error.schema["properties"])
    return known, tuple(key for key in known if key not in error.instance)


def _type(path: Path, error: Any) -> Iterator[Issue]:
    value, wanted = error.instance, _KINDS[error.validator_value]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        found = f"{shown(value)} is {_KIND_OF[type(value)]}"
    else:
        found = f"this is {shown(value)}"
    quotable = wanted == "text" and isinstance(value, int | float)
    remedy = "; quote it" if quotable else f": {_meaning(error)}"
    yield Issue(path, f"{found}, but must be {wanted}{remedy}")


def _enum(path: Path, error: Any) -> Iterator[Issue]:
    if isinstance(error.instance, str):
        options = error.validator_value
        hint = suggestion(error.instance, options)
        yield Issue(path, f"{shown(error.instance)} is not one of {listed(options)}{hint}")


def _unique(path: Path, error: Any) -> Iterator[Issue]:
    yield Issue(path, f"{shown(error.instance)} stands twice in the list; remove one")


def _empty(path: Path, error: Any) -> Iterator[Issue]:
    yield Issue(path, f"this is empty, but must hold {_meaning(error)}")


def _minimum(path: Path, error: Any) -> Iterator[Issue]:
    least = error.validator_value
    yield Issue(path, f"{error.instance} is less than {least}; expected {_meaning(error)}")


def _too_long(path: Path, error: Any) -> Iterator[Issue]:
    most, length = error.validator_value, len(error.instance)
    yield Issue(path, f"a text of {length} characters is too long; shorten it to {most}")


def _misfit(path: Path, error: Any) -> Iterator[Issue]:
    yield Issue(path, f"{shown(error.instance)} does not fit; expected {_meaning(error)}")


def _meaning(error: Any) -> str:
    """Return the first sentence of what the schema says of the field."""
    return str(error.schema["description"]).split(". ")[0]


_WORDING: dict[str, Callable[[Path, Any], Iterator[Issue]]] = {
    "additionalProperties": _additional,
    "required": _required,
    "dependentRequired": _dependent,
    "type": _type,
    "enum": _enum,
    "uniqueItems": _unique,
    "minItems": _empty,
    "minProperties": _empty,
    "minLength": _empty,
    "minimum": _minimum,
    "maxLength": _too_long,
}
