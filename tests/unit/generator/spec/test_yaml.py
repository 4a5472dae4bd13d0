"""YAML: the values of scalars, and where each value stands."""

from __future__ import annotations

import json

import pytest
import yaml

from generator.problems import ReadError
from generator.spec import yaml_reader
from generator.spec.yaml_scalars import resolve_plain, resolve_quoted


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("1_8", "1_8"),
        ("0_5", "0_5"),
        ("18", 18),
        ("-3", -3),
        ("007", 7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("1.2.3", "1.2.3"),
        ("4-bit", "4-bit"),
        ("=", "="),
        (".inf", float("inf")),
        ("-.Inf", float("-inf")),
        ("+.INF", float("inf")),
        ("9" * 18, 999_999_999_999_999_999),
        ("-" + "9" * 18, -999_999_999_999_999_999),
    ],
)
def test_resolve(plain: str, value: object) -> None:
    assert resolve_plain(plain) == value
    assert type(resolve_plain(plain)) is type(value)


@pytest.mark.parametrize("plain", ["9" * 19, "+" + "9" * 19])
def test_a_number_of_more_than_eighteen_digits_is_refused(plain: str) -> None:
    with pytest.raises(ValueError, match=r"^a number of 19 digits is too large; correct it$"):
        resolve_plain(plain)


@pytest.mark.parametrize("plain", [".nan", ".NaN", ".NAN"])
def test_resolve_what_is_no_number(plain: str) -> None:
    assert str(resolve_plain(plain)) == "nan"


def test_half_a_character_of_the_pure_parser() -> None:
    with pytest.raises(ValueError, match=r"\\ud800 is only half a character"):
        resolve_quoted("a\ud800")


def test_pure_parser_gives_the_same(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, _ = yaml_reader.compose(base)
    monkeypatch.setattr(yaml_reader, "_Loader", yaml.SafeLoader)
    slow, _ = yaml_reader.compose(base)
    assert slow == fast
    with pytest.raises(ReadError, match="nested deeper"):
        yaml_reader.compose("[" * 1000)
    assert [issue for *_, issue in yaml_reader.compose('"\\ud800"')[1]]


def test_positions_are_beside_the_data(base: str) -> None:
    root, issues = yaml_reader.compose(base)
    assert issues == []
    assert root.keys["model_lang"] == (4, 1)
    lang = root.children["model_lang"].children[1]
    assert (lang.value, lang.line, lang.column) == ("zh", 4, 18)
    assert "__line__" not in json.dumps(root.value)
