"""Reads what gives an answer its form: `response_format`, `structured_outputs`, `guided_…`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from ..grammar import compile_grammar, limit_white_space
from .option_conflicts import check_constraints
from .option_table import Option
from .option_value_types import Described
from .read_options import read_fields

# Keyword of a constraint → what its value has to be.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "json": ((dict, str), "an object or a string"),
    "regex": ((str,), "a string"),
    "choice": ((list,), "a list of strings"),
    "grammar": ((str,), "a string"),
    "json_object": ((bool,), "true"),
}
_ANY_OBJECT = {"type": "object"}

_ONLY_TYPE, _FORMAT, _SCHEMA = (
    {name: Option(name, "", Described("any value")) for name in names.split()}
    for names in ("type", "type json_schema", "name schema description strict")
)


def read_constraint(options: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return kind and value of the constraint, as `compile_grammar` takes them; None without one.

    Raises:
        RequestError: a value is of the wrong type or cannot be compiled, or there are several; or
            another option contradicts it.
    """
    found = [
        _read_value(name, kind, options[name])
        for name, kind in _find_constraints("guided_", options)
    ]
    if "response_format" in options:
        found.append(_read_response_format(options["response_format"]))
    structured = options.get("structured_outputs", {})
    for name in structured:
        if name not in _KINDS:
            raise RequestError(
                f"structured_outputs.{name} is not supported; use {', '.join(_KINDS)}"
            )
    found += [
        _read_value(f"structured_outputs.{name}", kind, structured[name])
        for name, kind in _find_constraints("", structured)
    ]
    check_constraints(options, found)
    if not found:
        return None
    kind, value = found[0]
    if kind == "json":
        value = limit_white_space(value)
    compile_grammar(kind, value)
    return kind, value


def _find_constraints(prefix: str, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return names and kinds of the constraints in `options`."""
    named = [(prefix + kind, kind) for kind in _KINDS]
    return [(name, kind) for name, kind in named if options.get(name) not in (None, False)]


def _read_value(name: str, kind: str, value: Any) -> tuple[str, Any]:
    types, wanted = _KINDS[kind]
    strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
    if not isinstance(value, types) or value == "" or value == [] or not strings:
        raise RequestError(f"{name} {value!r:.40} is not {wanted}")
    if kind == "json_object":
        return "json", _ANY_OBJECT
    return kind, _read_schema(name, value) if kind == "json" else value


def _read_schema(name: str, value: Any) -> Any:
    try:
        schema = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        schema = None
    if not isinstance(schema, dict):
        raise RequestError(f"{name} {value!r:.40} is not a JSON schema that is an object")
    return schema


def _read_response_format(value: Any) -> tuple[str, Any]:
    if not isinstance(value, Mapping):
        raise RequestError(f"response_format {value!r:.80} is not an object")
    kind, schema = value.get("type"), value.get("json_schema")
    read_fields(value, _FORMAT if kind == "json_schema" else _ONLY_TYPE, "response_format.")
    if kind == "json_object":
        return "json", _ANY_OBJECT
    if kind != "json_schema" or not isinstance(schema, Mapping):
        raise RequestError(
            f"response_format of type {kind!r} is not text, json_object, or json_schema with one"
        )
    read_fields(schema, _SCHEMA, "response_format.json_schema.")
    found = schema.get("schema")
    if not isinstance(found, Mapping):
        raise RequestError("response_format.json_schema.schema has to be an object")
    return "json", dict(found)
