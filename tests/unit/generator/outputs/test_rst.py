"""reStructuredText: what is escaped, and how long a line is."""

from __future__ import annotations

import pytest

from generator.outputs.rst import escape, make_rule


@pytest.mark.parametrize(
    ("title", "width"), [("short", 40), ("x" * 41, 41), ("数" * 20, 40), ("数" * 21, 42), ("é", 40)]
)
def test_rule_is_as_wide_as_the_title(title: str, width: int) -> None:
    assert make_rule(title, "=") == "=" * width


MARKUP = [
    ("plain (MLLM), a_b c-d 1.5", "plain (MLLM), a_b c-d 1.5"),
    ("Qwen3_5Moe", "Qwen3_5Moe"),
    ("name_", r"name\_"),
    ("name__", r"name\_\_"),
    ("[1]_", r"[1]\_"),
    ("*a* **b**", r"\*a\* \*\*b\*\*"),
    ("`a`", r"\`a\`"),
    ("|a|", r"\|a\|"),
    ("a\\b", r"a\\b"),
    ("as follows::", r"as follows:\:"),
    ("a::b", "a::b"),
]


@pytest.mark.parametrize(("plain", "escaped"), MARKUP)
def test_escape(plain: str, escaped: str) -> None:
    assert escape(plain) == escaped


@pytest.mark.parametrize("plain", [plain for plain, _ in MARKUP])
def test_docutils_reads_the_text_back(plain: str) -> None:
    core = pytest.importorskip("docutils.core")
    source = f"- **Description:** {escape(plain)}\n\nTitle\n^^^^^\n\ntext\n"
    tree = core.publish_doctree(source, settings_overrides={"halt_level": 2})
    assert f"Description: {plain}\n" in tree.astext()
