"""Write the data of a spec as YAML, the way a careful person would.

The libraries' writers choose between brackets and lines by one rule for the whole file, fold long
texts over several lines, and quote what YAML 1.1 alone reads as something else, such as 1_8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..spec.yaml_scalars import resolve_plain

_WIDTH = 100
_INDENT = "  "

# Text that YAML reads as itself, also within brackets.
_PLAIN = re.compile(r"[\w./<($](?:[\w./<>()|$+~^%;=-]|:(?=\S)|(?<=\S) (?=[\w(]))*")
# What neither quotes of one line nor a literal block can hold as it is.
_ESCAPED = re.compile(
    "[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def format_document(data: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    """Return a mapping as a YAML document, with a comment behind the keys that have one.

    The entries of `model_specs` stand apart from each other.
    """
    lines: list[str] = []
    for key, value in data.items():
        entry = _format_entry(key, value, "")
        if key in comments:
            entry[-1] += f"  # {comments[key]}"
        if key == "model_specs":
            entry = _space_out(key, value)
        lines += entry
    return "\n".join(lines) + "\n"


def _space_out(key: str, specs: Iterable[Any]) -> list[str]:
    lines = [f"{key}:"]
    for index, spec in enumerate(specs):
        lines += ([""] if index else []) + _format_item(spec, _INDENT)
    return lines


def _format_entry(key: str, value: Any, indent: str) -> list[str]:
    """Return the lines of a key and its value, on one line where there is room for it."""
    start = f"{indent}{format_scalar(key)}:"
    if _is_literal(value):
        return [f"{start} {_format_block_header(value)}", *_format_literal(value, indent + _INDENT)]
    if not isinstance(value, dict | list):
        return [f"{start} {format_scalar(value)}"]
    line = f"{start} {_format_flow(value)}"
    if not value or (_fits_flow(value) and len(line) <= _WIDTH):
        return [line]
    return [start, *_format_block(value, indent + _INDENT)]


def _format_block(value: Any, indent: str) -> list[str]:
    if _fits_wrapped_flow(value):
        return _wrap_flow(value, indent)
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in _format_entry(key, inner, indent)]
    return [line for inner in value for line in _format_item(inner, indent)]


def _format_item(value: Any, indent: str) -> list[str]:
    if not isinstance(value, dict) or _fits_flow(value):
        return [f"{indent}- {_format_flow(value)}"]
    lines = _format_block(value, indent + _INDENT)
    return [f"{indent}- {lines[0].lstrip()}", *lines[1:]]


def _fits_flow(value: Any) -> bool:
    """Say whether a value reads well in brackets: words, and mappings that hold little else."""
    if isinstance(value, list):
        return all(_is_word(item) for item in value)
    return not value or all(_is_word(inner) for inner in value.values())


def _fits_wrapped_flow(value: Any) -> bool:
    """Say whether a value that has no room on one line stands in brackets on several."""
    if isinstance(value, list):
        return _fits_flow(value)
    inner = [v for v in value.values() if isinstance(v, dict | list)]
    # Mostly words, such as a table of dimensions; not a mapping of such tables.
    words = all(_is_word(v) for v in value.values() if not isinstance(v, dict | list))
    return words and all(map(_fits_flow, inner)) and len(value) > 3 + 3 * len(inner)


def _wrap_flow(value: Any, indent: str) -> list[str]:
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines, line = [], indent + opening
    parts = _format_parts(value)
    for index, part in enumerate(parts):
        part += closing if index == len(parts) - 1 else ","
        space = "" if line.endswith(opening) and len(line) == len(indent) + 1 else " "
        if len(line) + len(space) + len(part) > _WIDTH and space:
            lines.append(line)
            line, space = f"{indent} ", ""
        line += space + part
    return [*lines, line]


def _format_flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(_format_parts(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(_format_parts(value))}]"
    return format_scalar(value)


def _format_parts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{format_scalar(key)}: {_format_flow(inner)}" for key, inner in value.items()]
    return [_format_flow(item) for item in value]


def _is_word(value: Any) -> bool:
    return not isinstance(value, dict | list) and " " not in str(value)


def format_scalar(value: Any) -> str:
    """Return a value without children, quoted only where YAML would read something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    # As a key, << without quotes would be YAML's merge key.
    if _PLAIN.fullmatch(value) and _resolve(value) == value != "<<":
        return value
    if _ESCAPED.search(value) or "\n" in value or "'" in value:
        return _quote_double(value)
    return f"'{value}'" if '"' in value or "\\" in value else f'"{value}"'


def _resolve(plain: str) -> object:
    try:
        return resolve_plain(plain)
    except ValueError:
        return None


def _quote_double(value: str) -> str:
    # JSON's escapes are YAML's too. Beyond them, YAML wants what cannot be printed escaped.
    quoted = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: json.dumps(match[0])[1:-1], quoted)


def _is_literal(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value.rstrip("\n") and not _ESCAPED.search(value)


def _format_block_header(value: str) -> str:
    # A first line that begins with a space does not show by itself how deep the block is.
    depth = str(len(_INDENT)) if value[:1] in (" ", "\n") else ""
    body = value.rstrip("\n")
    breaks = len(value) - len(body)
    return "|" + depth + ("-" if breaks == 0 else "" if breaks == 1 else "+")


def _format_literal(value: str, indent: str) -> list[str]:
    lines = value.split("\n")
    if value.endswith("\n"):
        lines.pop()
    return [indent + line if line else "" for line in lines]
