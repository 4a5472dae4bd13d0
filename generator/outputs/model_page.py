"""The model page of a family, in reStructuredText."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..family.model import EngineSupport, Family, ModelSpec
from .rst import load_template

# The host's catalog has more hubs than its pages show.
_HUB_PAGES = {
    "huggingface": ("Hugging Face", "https://huggingface.co/"),
    "modelscope": ("ModelScope", "https://modelscope.cn/models/"),
}


def render_model_page(family: Family) -> str:
    """Return the model page, in reStructuredText."""
    specs = [{"data": spec, **_collect_values(spec)} for spec in family.specs]
    return load_template("model.rst.jinja").render(family=family, specs=specs)


def _collect_values(spec: ModelSpec) -> dict[str, Any]:
    sources = {source.hub: source for source in spec.sources}
    shown = [(*_HUB_PAGES[hub], sources[hub]) for hub in _HUB_PAGES if hub in sources]
    first = shown[0][-1] if shown else spec.sources[0]
    return {
        "engines": format_engines(spec, first.quantizations),
        "model_id": first.model_id,
        "quantizations": first.quantizations,
        "hubs": [(label, base + source.model_id) for label, base, source in shown],
    }


def format_engines(spec: ModelSpec, quantizations: tuple[str, ...]) -> str:
    """Return the engines, and for which quantizations those are that do not serve all of them."""
    engines = _choose_engines(spec)
    line = ", ".join(support.engine for support in engines)
    if notes := list(_format_notes(quantizations, engines)):
        line += f" ({'; '.join(notes)})"
    return line


def _choose_engines(spec: ModelSpec) -> tuple[EngineSupport, ...]:
    """Return the engines that are published, else those that the plugin serves."""
    if spec.published_engines is not None:
        return spec.published_engines
    return spec.serving.engines if spec.serving else ()


def _format_notes(
    quantizations: tuple[str, ...], engines: Iterable[EngineSupport]
) -> Iterator[str]:
    limited: dict[tuple[str, ...], list[str]] = {}
    for support in engines:
        # What only another hub has stands behind what the page lists.
        known = dict.fromkeys([*quantizations, *support.quantizations])
        served = tuple(q for q in known if q in support.quantizations)
        if not set(quantizations) <= set(served):
            limited.setdefault(served, []).append(support.engine)
    for served, names in limited.items():
        plural = "s" if len(served) > 1 else ""
        yield f"{_join(names)} only available for quantization{plural} {_join(served)}"


def _join(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
