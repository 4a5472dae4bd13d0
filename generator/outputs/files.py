"""Every file that is generated from a family: its path and its text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..family.model import Family
from ..paths import PAGES, REGISTRATIONS
from .engines_page import render_engines_page
from .loader_data import make_loader_data
from .model_page import render_model_page
from .registration import make_registration


def render_files(family: Family, origin: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a family, each with its path below the root of the repository.

    A family that our loaders do not serve at all has no file for them.
    """
    yield f"{PAGES}/{family.name.lower()}.rst", render_model_page(family)
    yield f"{REGISTRATIONS}/{family.name}.json", _format_json([make_registration(family)])
    if family.served_specs:
        yield f"{PAGES}/{family.name.lower()}-engines.rst", render_engines_page(family)
        data = {"generated_from": origin} | make_loader_data(family)
        yield f"{REGISTRATIONS}/{family.name}.runtime.json", _format_json(data)


def _format_json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
