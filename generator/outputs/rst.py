"""reStructuredText: the templates of pages, and what their text needs.

Sphinx has an escape that puts a backslash before every sign, dots and brackets included; the pages
here are those that Xinference publishes, with a backslash only where text would be markup.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

_TITLE_WIDTH = 40


@cache
def load_template(name: str) -> Template:
    """Return a template of a page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters |= {"rst": escape, "rule": make_rule}
    return environment.get_template(name)


def escape(text: str) -> str:
    """Return `text` so that reStructuredText shows it as it is.

    Escaped is what would begin markup: a backslash, `*`, a backquote, `|`, underscores that end
    a word (a reference), and two colons at the end (a literal block).
    """
    text = re.sub(r"[\\*`|]", r"\\\g<0>", text)
    text = re.sub(r"(_+)([^\W_]?)", _escape_underscores, text)
    return re.sub(r":(:\s*)$", r":\\\1", text)


def _escape_underscores(match: re.Match[str]) -> str:
    return match[0] if match[2] else "\\_" * len(match[1])


def make_rule(title: str, character: str) -> str:
    """Return the line over or under a title: never shorter than the title is wide."""
    width = sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "FW" else 1
        for c in title
    )
    return character * max(_TITLE_WIDTH, width)
