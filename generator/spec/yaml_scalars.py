"""The value of a scalar, by the core schema of YAML 1.2 with decimal numbers only.

PyYAML's own rules are those of YAML 1.1, which turn a size of 1_8 into 18, the language no into
false and 12:30 into 750.
"""

from __future__ import annotations

import re

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?([0-9]+)")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_MAX_DIGITS = 18
_SURROGATE = re.compile("[\ud800-\udfff]")


def resolve_plain(plain: str) -> str | int | float | bool | None:
    """Return the value of a scalar without quotes; raises `ValueError` with a message."""
    if plain in _NULL:
        return None
    if plain in _BOOL:
        return _BOOL[plain]
    if plain[0] in "+-.0123456789":
        if match := _INT.fullmatch(plain):
            if (digits := len(match[1])) > _MAX_DIGITS:
                raise ValueError(f"a number of {digits} digits is too large; correct it")
            return int(plain)
        if _FLOAT.fullmatch(plain):
            return float(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return plain


def resolve_quoted(quoted: str) -> str:
    """Return the value of a scalar in quotes; raises `ValueError` with a message."""
    # libyaml refuses the escape of half a character itself, PyYAML's own parser does not.
    if match := _SURROGATE.search(quoted):
        raise ValueError(f"\\u{ord(match[0]):04x} is only half a character; write it whole")
    return quoted
