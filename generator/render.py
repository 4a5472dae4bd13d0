"""The outputs of a family, as text."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from .model import EngineSupport, Family, ModelSpec, Source

PAGES = "docs/models"
REGISTRATIONS = "plugin/xinference_internvl2/families"

# The host's catalog has more hubs than its pages show.
_HUB_PAGES = {
    "huggingface": ("Hugging Face", "https://huggingface.co/"),
    "modelscope": ("ModelScope", "https://modelscope.cn/models/"),
}
_TITLE_WIDTH = 40


def outputs(family: Family, origin: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a family, each with its path below the root of the repository.

    A family that our loaders do not serve at all has no file for them.
    """
    yield f"{PAGES}/{family.name}.rst", page(family)
    yield f"{REGISTRATIONS}/{family.name}.json", _json([registration(family)])
    if family.served_specs:
        data = {"generated_from": origin} | runtime(family)
        yield f"{REGISTRATIONS}/{family.name}.runtime.json", _json(data)


def registration(family: Family) -> dict[str, Any]:
    """Return the family as a record of the host's catalog."""
    return {
        "version": 2,
        "context_length": family.context_length,
        "model_name": family.name,
        "model_lang": list(family.languages),
        "model_ability": list(family.abilities),
        "model_description": family.description,
        "model_specs": [
            {
                "model_format": spec.model_format,
                "model_size_in_billions": spec.size,
                "model_src": {source.hub: _source(spec, source) for source in spec.sources},
            }
            for spec in family.specs
        ],
        **family.host_settings,
        "architectures": list(family.architectures),
        "updated_at": family.updated_at,
    }


def _source(spec: ModelSpec, source: Source) -> dict[str, Any]:
    record = {"quantizations": list(spec.quantizations), "model_id": source.model_id}
    if source.model_revision is not None:
        record["model_revision"] = source.model_revision
    return record


def runtime(family: Family) -> dict[str, Any]:
    """Return what our loaders need to serve the family."""
    formats = {}
    for prompt_format in family.prompt_formats:
        formats[prompt_format.name] = asdict(prompt_format)
        del formats[prompt_format.name]["name"]
    return {
        "model_name": family.name,
        "prompt_formats": formats,
        "model_specs": [
            {
                "model_format": spec.model_format,
                "model_size_in_billions": spec.size,
                "quantizations": list(spec.quantizations),
                "prompt_format": serving.prompt_format,
                "backbone": serving.backbone,
                "engines": {s.engine: list(s.quantizations) for s in serving.engines},
            }
            for spec, serving in family.served_specs
        ],
    }


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def page(family: Family) -> str:
    """Return the model page, in reStructuredText."""
    specs = [{"data": spec, **_page_values(spec)} for spec in family.specs]
    return _template("model.rst.jinja").render(family=family, specs=specs)


def _page_values(spec: ModelSpec) -> dict[str, Any]:
    sources = {source.hub: source for source in spec.sources}
    shown = [(*_HUB_PAGES[hub], sources[hub]) for hub in _HUB_PAGES if hub in sources]
    return {
        "engines": engines_line(spec),
        "model_id": (shown[0][-1] if shown else spec.sources[0]).model_id,
        "hubs": [(label, base + source.model_id) for label, base, source in shown],
    }


def engines_line(spec: ModelSpec) -> str:
    """Return the engines, and for which quantizations those are that do not serve all of them."""
    line = ", ".join(support.engine for support in spec.page_engines)
    if notes := list(_notes(spec, spec.page_engines)):
        line += f" ({'; '.join(notes)})"
    return line


def _notes(spec: ModelSpec, engines: Iterable[EngineSupport]) -> Iterator[str]:
    limited: dict[tuple[str, ...], list[str]] = {}
    for support in engines:
        served = tuple(q for q in spec.quantizations if q in support.quantizations)
        if served != spec.quantizations:
            limited.setdefault(served, []).append(support.engine)
    for served, names in limited.items():
        plural = "s" if len(served) > 1 else ""
        yield f"{_and(names)} only available for quantization{plural} {_and(served)}"


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


@cache
def _template(name: str) -> Template:
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
