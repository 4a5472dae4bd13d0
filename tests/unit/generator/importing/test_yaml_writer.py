"""The writer of specs: what it writes is read back as it was, and reads well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.importing import yaml_writer
from generator.spec import yaml_reader

lines = st.text(st.sampled_from("ab :#-{}[]'\"|>%@`!&*?,\\\t\n\r\x85\u2028\ufeff\U0001f600數"))
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(blacklist_categories=["Cs"]))
    | lines
    | st.sampled_from(
        ["1_8", "18", "no", "null", "~", "-1", "1e3", "<<", "=", "", " ", "- a", "..."]
    )
)
keys = st.text(st.characters(blacklist_categories=["Cs"]), max_size=6) | lines
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5)
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(keys, values, min_size=1, max_size=5))
def test_what_is_written_is_what_is_read(data: dict[str, Any]) -> None:
    text = yaml_writer.format_document(data, {})
    root, issues = yaml_reader.compose(text)
    assert (root.value, issues) == (data, []), text


def _written(data: Any, **comments: str) -> list[str]:
    return yaml_writer.format_document(data, comments).splitlines()


def test_a_list_of_words_stands_on_one_line_of_100_characters() -> None:
    words = ["a" * 45, "b" * 46]
    (line,) = _written({"key": words})
    assert len(line) == 100
    words[1] += "b"
    start, wrapped = _written({"key": words})
    assert (start, wrapped) == ("key:", f"  [{words[0]}, {words[1]}]")


def test_a_line_in_brackets_has_100_characters_too() -> None:
    # Two spaces and a bracket, three words with commas and spaces between them, and a comma.
    words = ["a" * 30, "b" * 30, "c" * 32, "d" * 30]
    _, first, second = _written({"key": words})
    assert (len(first), second) == (100, f"   {words[3]}]")
    words[2] += "c"
    _, first, second = _written({"key": words})
    assert second == f"   {words[2]}, {words[3]}]"


def test_the_closing_bracket_is_part_of_the_line() -> None:
    words = ["a" * 30, "b" * 30, "c" * 32]
    _, line = _written({"key": words})
    assert len(line) == 100
    words[2] += "c"
    assert len(_written({"key": words})) == 3


@pytest.mark.parametrize(("value", "written"), [([], "[]"), ({}, "{}")])
def test_what_is_empty_stands_on_the_line_of_its_key(value: Any, written: str) -> None:
    for length in (96, 97, 98):
        assert _written({"k" * length: value}) == [f"{'k' * length}: {written}"]


@pytest.mark.parametrize(("count", "bracket"), [(3, False), (4, True)])
def test_a_mapping_of_more_than_three_long_words_stands_in_brackets(
    count: int, bracket: bool
) -> None:
    lines = _written({"key": {f"k{number}": "a" * 40 for number in range(count)}})
    assert lines[1].startswith("  {") is bracket
    assert len(lines) == (3 if bracket else 1 + count)


@pytest.mark.parametrize(("count", "bracket"), [(5, False), (6, True)])
def test_a_list_in_a_mapping_counts_as_three_words(count: int, bracket: bool) -> None:
    words: dict[str, Any] = {f"k{number}": "a" * 40 for number in range(count)}
    assert _written({"key": words | {"list": ["a"]}})[1].startswith("  {") is bracket


@pytest.mark.parametrize(
    ("text", "header", "lines"),
    [
        ("a\nb", "|-", ["  a", "  b"]),
        ("a\nb\n", "|", ["  a", "  b"]),
        ("a\nb\n\n", "|+", ["  a", "  b", ""]),
        (" a\nb", "|2-", ["   a", "  b"]),
        ("\na", "|2-", ["", "  a"]),
    ],
)
def test_text_of_several_lines(text: str, header: str, lines: list[str]) -> None:
    assert _written({"key": text}) == [f"key: {header}", *lines]
    assert yaml_reader.compose(yaml_writer.format_document({"key": text}, {}))[0].value == {
        "key": text
    }


def test_one_line_that_ends_in_a_break_is_quoted() -> None:
    assert _written({"key": "a\n"}) == ['key: "a\\n"']


def test_checkpoints_stand_apart_and_comments_behind_their_keys() -> None:
    specs = [{"a": 1, "b": {"c": {"d": "e f"}}}, {"a": 2, "b": {"c": {"d": "e f"}}}]
    assert _written({"time": 1, "model_specs": specs}, time="then") == [
        *("time: 1  # then", "model_specs:"),
        *("  - a: 1", "    b:", "      c:", "        d: e f", ""),
        *("  - a: 2", "    b:", "      c:", "        d: e f"),
    ]
