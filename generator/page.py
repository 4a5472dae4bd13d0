"""The model page of a family, in reStructuredText."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from .model import EngineSupport, Family, ModelSpec

# The host's catalog has more hubs than its pages show.
_HUB_PAGES = {
    "huggingface": ("Hugging Face", "https://huggingface.co/"),
    "modelscope": ("ModelScope", "https://modelscope.cn/models/"),
}
_TITLE_WIDTH = 40


def page(family: Family) -> str:
    """Return the model page, in reStructuredText."""
    specs = [{"data": spec, **_page_values(spec)} for spec in family.specs]
    return template("model.rst.jinja").render(family=family, specs=specs)


def _page_values(spec: ModelSpec) -> dict[str, Any]:
    sources = {source.hub: source for source in spec.sources}
    shown = [(*_HUB_PAGES[hub], sources[hub]) for hub in _HUB_PAGES if hub in sources]
    first = shown[0][-1] if shown else spec.sources[0]
    return {
        "engines": engines_line(spec, first.quantizations),
        "model_id": first.model_id,
        "quantizations": first.quantizations,
        "hubs": [(label, base + source.model_id) for label, base, source in shown],
    }


def engines_line(spec: ModelSpec, quantizations: tuple[str, ...]) -> str:
    """Return the engines, and for which quantizations those are that do not serve all of them."""
    line = ", ".join(support.engine for support in spec.page_engines)
    if notes := list(_notes(quantizations, spec.page_engines)):
        line += f" ({'; '.join(notes)})"
    return line


def _notes(quantizations: tuple[str, ...], engines: Iterable[EngineSupport]) -> Iterator[str]:
    limited: dict[tuple[str, ...], list[str]] = {}
    for support in engines:
        # What only another hub has stands behind what the page lists.
        known = dict.fromkeys([*quantizations, *support.quantizations])
        served = tuple(q for q in known if q in support.quantizations)
        if not set(quantizations) <= set(served):
            limited.setdefault(served, []).append(support.engine)
    for served, names in limited.items():
        plural = "s" if len(served) > 1 else ""
        yield f"{_and(names)} only available for quantization{plural} {_and(served)}"


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


@cache
def template(name: str) -> Template:
    """Return a template of a page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters |= {"rst": escape, "rule": rule}
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


def rule(title: str, character: str) -> str:
    """Return the line over or under a title: never shorter than the title is wide."""
    width = sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "FW" else 1
        for c in title
    )
    return character * max(_TITLE_WIDTH, width)
