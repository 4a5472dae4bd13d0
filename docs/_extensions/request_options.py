"""`.. request-options:: honoured` prints a part of the table of options that the code uses."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parents[2] / "plugin"))

from xinference_internvl2.chat.option_table import (
    HONOURED,
    ONLY_NEUTRAL,
    STREAM_OPTIONS,
    TEMPLATE_OPTIONS,
    WITHOUT_EFFECT,
    Option,
)

TABLES: Mapping[str, Mapping[str, Option]] = {
    "honoured": HONOURED,
    "neutral": ONLY_NEUTRAL,
    "without-effect": WITHOUT_EFFECT,
    "stream": STREAM_OPTIONS,
    "template": TEMPLATE_OPTIONS,
}


class RequestOptions(SphinxDirective):
    """A list table of options, with the columns that its part of them needs."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        table = TABLES[self.arguments[0]]
        return self.parse_text_to_nodes(list_table(self.arguments[0], table.values()))


def list_table(name: str, options: Iterable[Option]) -> str:
    """Return a table of options in reStructuredText."""
    columns = {
        "honoured": ("Option", "Values", "Neutral", "What it does"),
        "stream": ("Option", "Values", "Neutral", "What it does"),
        "template": ("Option", "Values", "Neutral", "What it does, or why not"),
        "neutral": ("Option", "Neutral", "Why no other value is accepted"),
        "without-effect": ("Option", "What it is"),
    }[name]
    rows = [columns, *(_row(columns, option) for option in options)]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'*' if index == 0 else ' '} - {cell}" for index, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def _row(columns: tuple[str, ...], option: Option) -> tuple[str, ...]:
    effect = re.sub(r"`([^`]+)`", r"``\1``", option.effect)
    cells = {
        "Option": f"``{option.name}``",
        "Values": str(option.values) if option.values else "only the neutral ones",
        "Neutral": ", ".join(f"``{json.dumps(value)}``" for value in option.neutral) or "not given",
    }
    return tuple(cells.get(column, effect) for column in columns)


def setup(app: Any) -> None:
    """Add the directive."""
    app.add_directive("request-options", RequestOptions)
