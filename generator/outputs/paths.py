"""The outputs of a family, as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..family.model import Family
from .engines_page import engines_page
from .model_page import page
from .registration import registration
from .runtime import runtime

PAGES = "docs/models"
REGISTRATIONS = "plugin/xinference_internvl2/families"


def outputs(family: Family, origin: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a family, each with its path below the root of the repository.

    A family that our loaders do not serve at all has no file for them.
    """
    yield f"{PAGES}/{family.name.lower()}.rst", page(family)
    yield f"{REGISTRATIONS}/{family.name}.json", _json([registration(family)])
    if family.served_specs:
        yield f"{PAGES}/{family.name.lower()}-engines.rst", engines_page(family)
        data = {"generated_from": origin} | runtime(family)
        yield f"{REGISTRATIONS}/{family.name}.runtime.json", _json(data)


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
