"""Reads what the text of an answer has to match: `response_format` and the guided options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError

# Option → keyword of the constraint, and what its value has to be.
_GUIDED: dict[str, tuple[str, tuple[type, ...], str]] = {
    "guided_json": ("json", (dict, str), "an object or a string"),
    "guided_regex": ("regex", (str,), "a string"),
    "guided_choice": ("choice", (list,), "a list of strings"),
    "guided_grammar": ("grammar", (str,), "a string"),
}


def read_constraint(options: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the constraint as a keyword and its value, or None if there is none.

    Raises:
        RequestError: a value of the wrong type, or more than one constraint.
    """
    found = [_read_guided(name, options[name]) for name in _GUIDED if name in options]
    if "response_format" in options:
        found.append(_response_format(options["response_format"]))
    if options.get("guided_json_object"):
        found.append(("json_object", True))
    if len(found) > 1:
        raise RequestError("response_format and guided_… are several constraints; give only one")
    return found[0] if found else None


def _read_guided(name: str, value: Any) -> tuple[str, Any]:
    key, types, wanted = _GUIDED[name]
    strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
    if not isinstance(value, types) or not value or not strings:
        raise RequestError(f"{name} {value!r:.40} is not {wanted}")
    return key, value


def _response_format(value: Any) -> tuple[str, Any]:
    kind = value.get("type") if isinstance(value, Mapping) else value
    if kind == "json_object":
        return "json_object", True
    schema = value.get("json_schema") if isinstance(value, Mapping) else None
    if kind != "json_schema" or not isinstance(schema, Mapping):
        raise RequestError(
            f"response_format of type {kind!r} is not text, json_object, or json_schema with one"
        )
    # The host renames the field.
    found = schema.get("schema_") if schema.get("schema_") is not None else schema.get("schema")
    if not isinstance(found, Mapping):
        raise RequestError("response_format.json_schema.schema has to be an object")
    return "json", dict(found)
