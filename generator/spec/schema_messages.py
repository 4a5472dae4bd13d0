"""Say in words what the schema refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..problems import Issue, Path
from ..wording import find_nearest, join_quoted, show, suggest

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
}
_KIND_OF = {str: "text", int: "a whole number", float: "a fraction"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A value, or a key, that a keyword of the schema refuses."""

    path: Path
    keyword: str
    value: Any
    expected: Any
    """What the keyword says."""
    schema: Mapping[str, Any]
    """The schema of the value."""
    at_key: bool = False


def describe(fault: Fault) -> Iterator[Issue]:
    """Yield what a fault comes to: one issue, or one for each key."""
    for issue in _WORDING.get(fault.keyword, _describe_misfit)(fault.path, fault):
        yield Issue(issue.path, issue.message, at_key=True) if fault.at_key else issue


def _describe_additional(path: Path, fault: Fault) -> Iterator[Issue]:
    known, absent = _list_keys(fault)
    for key in fault.value:
        if key not in known:
            hint = suggest(key, absent) or f"; the keys here are {join_quoted(known)}"
            yield Issue((*path, key), f"unknown key{hint}", at_key=True)


def _describe_required(path: Path, fault: Fault) -> Iterator[Issue]:
    known, absent = _list_keys(fault)
    # A mistyped key is one mistake: it is named once, as unknown.
    meant = {find_nearest(key, absent) for key in fault.value if key not in known}
    for key in fault.expected:
        if key in absent and key not in meant:
            yield Issue(path, f"missing key {key!r}; add it")


def _describe_any_of(path: Path, fault: Fault) -> Iterator[Issue]:
    if any(option.keys() != {"required"} for option in fault.expected):
        yield from _describe_misfit(path, fault)
        return
    known, absent = _list_keys(fault)
    options = [key for option in fault.expected for key in option["required"]]
    if not {find_nearest(key, absent) for key in fault.value if key not in known} & set(options):
        yield Issue(path, f"missing key {' or '.join(map(repr, options))}; add one of them")


def _describe_dependent(path: Path, fault: Fault) -> Iterator[Issue]:
    for present, needed in fault.expected.items():
        for key in needed:
            if present in fault.value and key not in fault.value:
                together = join_quoted(sorted([present, *needed]))
                yield Issue(path, f"missing key {key!r}; {together} come together, add it")


def _list_keys(fault: Fault) -> tuple[list[str], tuple[str, ...]]:
    known = list(fault.schema["properties"])
    return known, tuple(key for key in known if key not in fault.value)


def _describe_type(path: Path, fault: Fault) -> Iterator[Issue]:
    value, wanted = fault.value, _KINDS[fault.expected]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        found = f"{show(value)} is {_KIND_OF[type(value)]}"
    else:
        found = f"this is {show(value)}"
    quotable = wanted == "text" and isinstance(value, int | float)
    remedy = "; quote it" if quotable else f": {_find_meaning(fault)}"
    yield Issue(path, f"{found}, but must be {wanted}{remedy}")


def _describe_enum(path: Path, fault: Fault) -> Iterator[Issue]:
    if not isinstance(fault.value, str):
        # Where the schema names a type, that it is another one has been said already.
        yield from _describe_misfit(path, fault) if "type" in fault.schema else ()
    else:
        options = fault.expected
        hint = suggest(fault.value, options)
        yield Issue(path, f"{show(fault.value)} is not one of {join_quoted(options)}{hint}")


def _describe_repeated(path: Path, fault: Fault) -> Iterator[Issue]:
    # Items that are neither text nor a number have a wrong type, which is said of each.
    seen: set[tuple[type, Any]] = set()
    for index, item in enumerate(fault.value):
        if isinstance(item, str | int):
            if (key := (type(item), item)) in seen:
                message = f"{show(item)} stands twice in the list; remove one"
                yield Issue((*path, index), message)
            seen.add(key)


def _describe_empty(path: Path, fault: Fault) -> Iterator[Issue]:
    yield Issue(path, f"this is empty, but must hold {_find_meaning(fault)}")


def _describe_minimum(path: Path, fault: Fault) -> Iterator[Issue]:
    least = fault.expected
    yield Issue(path, f"{fault.value} is less than {least}; expected {_find_meaning(fault)}")


def _describe_too_long(path: Path, fault: Fault) -> Iterator[Issue]:
    most, length = fault.expected, len(fault.value)
    yield Issue(path, f"a text of {length} characters is too long; shorten it to {most}")


def _describe_misfit(path: Path, fault: Fault) -> Iterator[Issue]:
    yield Issue(path, f"{show(fault.value)} does not fit; expected {_find_meaning(fault)}")


def _find_meaning(fault: Fault) -> str:
    """Return the first sentence of what the schema says of the field."""
    return str(fault.schema["description"]).split(". ")[0]


_WORDING: dict[str, Callable[[Path, Fault], Iterator[Issue]]] = {
    "additionalProperties": _describe_additional,
    "required": _describe_required,
    "anyOf": _describe_any_of,
    "dependentRequired": _describe_dependent,
    "type": _describe_type,
    "enum": _describe_enum,
    "uniqueItems": _describe_repeated,
    "minItems": _describe_empty,
    "minProperties": _describe_empty,
    "minLength": _describe_empty,
    "minimum": _describe_minimum,
    "maxLength": _describe_too_long,
}
