"""Adds to the host's engine query why an engine cannot serve a spec of our families here.

The host leaves such a spec out silently. It answers engine → rows, or engine → the reason why it is
not available; here, an engine with a format and a quantization gets such a reason too.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from ..families.engine_matrix import serves
from ..patching import patch
from .only_our_loaders import find_loader
from .our_families import find_our_family
from .virtual_env import set_virtual_env

FUNCTIONS = ("get_engine_params_by_name", "get_engine_params_by_name_with_virtual_env")
MODULE = "xinference.model.utils"
USERS = ("xinference.core.worker", "xinference.core.supervisor")
"""The module that has the functions, and those that may have imported them already."""
WITHOUT = "the list of engines does not say why one of them cannot be used"


def add_reasons() -> None:
    """Add the reasons to the engine query of this process."""
    for name in FUNCTIONS:
        patch(sys.modules[MODULE], name, _answer_with_reasons, without=WITHOUT)
        # A module that is only being imported will get the extended function.
        for module in map(sys.modules.get, USERS):
            if hasattr(module, name):
                patch(module, name, _answer_with_reasons, without=WITHOUT)


def _answer_with_reasons(query: Any) -> Any:
    signature = inspect.signature(query)

    def get_engine_params(*args: Any, **kwargs: Any) -> Any:
        found = query(*args, **kwargs)
        call = signature.bind(*args, **kwargs).arguments
        if not found or call["model_type"] != "LLM":
            return found
        with set_virtual_env(call.get("enable_virtual_env")):
            return _add_reasons_to(found, call["model_name"])

    return get_engine_params


def _add_reasons_to(found: dict[str, Any], model_name: str) -> dict[str, Any]:
    from xinference.model.llm import SUPPORTED_ENGINES

    family = find_our_family(model_name)
    if family is None:
        return found
    answer = dict(found)
    for engine, rows in found.items():
        loader = find_loader(SUPPORTED_ENGINES, engine)
        if loader is None:
            continue
        if not isinstance(rows, list):
            # The host's reason is that of its own first loader, which knows no remedy.
            installed = loader.check_lib()
            answer[engine] = rows if installed is True else installed[1]
            continue
        reasons = _find_reasons(loader, family, engine)
        # The host's rows date from its start, and hold for a launch with a virtual environment.
        answer[engine] = [row for row in (_drop_unserved(row, reasons) for row in rows) if row]
        answer |= {f"{engine} ({' '.join(key)})": reason for key, reason in reasons.items()}
    return answer


def _find_reasons(loader: Any, family: Any, engine: str) -> dict[tuple[str, str], str]:
    """Return (format, quantization) → why `loader` cannot serve here what its engine does."""
    reasons = {}
    for spec in family.model_specs:
        if serves(family, spec, spec.quantization, engine) is True:
            verdict = loader.match_json(family, spec, spec.quantization)
            if verdict is not True:
                reasons[spec.model_format, spec.quantization] = verdict[1]
    return reasons


def _drop_unserved(
    row: dict[str, Any], reasons: dict[tuple[str, str], str]
) -> dict[str, Any] | None:
    left = [q for q in row["quantizations"] if (row["model_format"], q) not in reasons]
    return {**row, "quantizations": left} if left else None
