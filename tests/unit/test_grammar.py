"""The form of an answer: what cannot be kept is refused in a sentence, quickly, and in little
memory."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from xinference_internvl2.errors import RequestError
from xinference_internvl2.grammar import MAX_CHARACTERS, MAX_CHOICES, compile_grammar

FORMS: list[tuple[str, Any]] = [
    ("json", {"type": "object", "properties": {"a": {"type": "integer"}}}),
    ("json", {"$ref": "#/$defs/a", "$defs": {"a": {"enum": [1, "x", None]}}}),
    ("regex", "[0-9]{4}-[0-9]{2}"),
    ("choice", ["left", 'with "quotes"\nand lines']),
    ("grammar", 'start: "a" | "b" start'),
    ("grammar", 'root ::= "a" | "b" root'),
]


@pytest.mark.parametrize(("kind", "value"), FORMS)
def test_forms_that_can_be_kept(kind: str, value: Any) -> None:
    assert compile_grammar(kind, value)


def refusal(kind: str, value: Any) -> str:
    """Why a form cannot be kept, or nothing."""
    try:
        compile_grammar(kind, value)
    except RequestError as error:
        return str(error)
    return ""


CANNOT = "the form of the answer cannot be kept: "
BAD_FORMS: list[tuple[str, Any, str]] = [
    ("json", {"type": "nosuch"}, "Invalid type: nosuch"),
    ("json", {"properties": {"\ud800": {}}}, "it has half a surrogate pair, which"),
    ("regex", "a\ud800", "it has half a surrogate pair, which"),
    ("choice", ["\ud800"], "it has half a surrogate pair, which"),
    ("grammar", 'start: "\ud800"', "it has half a surrogate pair, which"),
    ("json", {"not": {"type": "string"}}, 'Unimplemented keys: ["not"]'),
    ("json", {"type": "string", "minLength": 5, "maxLength": 2}, "Unsatisfiable schema: minLength"),
    ("json", {"enum": []}, "Unsatisfiable schema"),
    ("json", {"$ref": "#"}, "no text matches it"),
    ("json", {"$ref": "http://127.0.0.1:1/schema"}, "Resource 'http://127.0.0.1:1/schema' is not"),
    ("json", {"$ref": "file:///etc/passwd"}, "Resource 'file:///etc/passwd' is not"),
    ("json", {"$ref": "other.json"}, "Resource 'json-schema:///other.json' is not"),
    ("regex", "(?=a)b", "at 1(8): invalid regex"),
    ("regex", r"(a)\1", "at 1(8): invalid regex"),
    ("grammar", "no grammar", "Failed to convert the grammar from GBNF to Lark"),
    ("grammar", 'start: "a" b', ""),
]


@pytest.mark.parametrize(("kind", "value", "reason"), BAD_FORMS)
def test_forms_that_cannot_be_kept(kind: str, value: Any, reason: str) -> None:
    with pytest.raises(RequestError) as caught:
        compile_grammar(kind, value)
    assert str(caught.value).startswith(CANNOT + reason)


def test_a_form_opens_nothing(tmp_path: Path) -> None:
    """Neither a file that is there nor an address that answers."""
    file = tmp_path / "schema.json"
    file.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for url in (file.as_uri(), f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"):
            assert refusal("json", {"$ref": url}).startswith(f"{CANNOT}Resource '{url}' is not")
        with pytest.raises(BlockingIOError):
            server.accept()


def doubled(levels: int) -> dict[str, Any]:
    """A schema that is of that many levels, and as large as two to their power."""
    twice = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**twice, f"d{levels}": {"type": "string"}}}


HOSTILE: list[tuple[str, Any]] = [
    ("json", doubled(40)),
    ("json", {"type": "array", "minItems": 10**6, "items": {"type": "string"}}),
    ("json", {"type": "string", "maxLength": 10**9}),
    ("json", {"type": "string", "pattern": "^((a{1,1000}){1,1000}){1,1000}$"}),
    ("json", {"type": "object", "properties": {f"p{i}": {"type": "null"} for i in range(2000)}}),
    ("regex", "(a|b)*a(a|b){500}"),
    ("regex", "(" * 5000 + "a" + ")" * 5000),
    ("grammar", 'start: start start | "a"'),
    ("grammar", "root ::= " + "(" * 9000 + '"a"' + ")" * 9000),
    ("choice", [f"word {number}" for number in range(MAX_CHOICES)]),
]


@pytest.mark.parametrize(("kind", "value"), HOSTILE)
def test_a_hostile_form_takes_little(kind: str, value: Any) -> None:
    start = time.process_time()
    assert refusal(kind, value).startswith(CANNOT) or compile_grammar(kind, value)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("kind", "most", "beyond"),
    [
        ("regex", "a" * MAX_CHARACTERS, "a" * (MAX_CHARACTERS + 1)),
        ("choice", [str(n) for n in range(MAX_CHOICES)], [str(n) for n in range(MAX_CHOICES + 1)]),
    ],
)
def test_the_size_of_a_form_is_bounded(kind: str, most: Any, beyond: Any) -> None:
    assert "is too large" not in refusal(kind, most)
    assert refusal(kind, beyond).startswith(f"the form of the answer ({kind}) is too large")
