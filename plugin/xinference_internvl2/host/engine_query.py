"""Let the host's engine query say why an engine that serves a family lacks one of its specs here.

The host leaves such a spec out in silence. What it answers is engine → rows, or engine → the reason
why it is not available; the latter is what a spec's format and quantization get here.
"""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any

from ..families import records
from ..families.engine_matrix import serves
from . import launch_guard

FUNCTIONS = ("get_engine_params_by_name", "get_engine_params_by_name_with_virtual_env")
MODULES = ("xinference.model.utils", "xinference.core.worker", "xinference.core.supervisor")
"""Where the functions are, and who may have imported them already."""


def explain() -> None:
    """Add the reasons to the engine query of this process."""
    for module in MODULES:
        for name in FUNCTIONS:
            _explain(sys.modules.get(module), name)


def _explain(module: Any, name: str) -> None:
    query = getattr(module, name, None)
    if query is None or hasattr(query, "_xinference_internvl2"):
        return
    signature = inspect.signature(query)

    @functools.wraps(query)
    def explained(*args: Any, **kwargs: Any) -> Any:
        found = query(*args, **kwargs)
        call = signature.bind(*args, **kwargs).arguments
        if not found or call["model_type"] != "LLM":
            return found
        with launch_guard.asked_for(call.get("enable_virtual_env")):
            return _explained(call["model_name"], found)

    explained._xinference_internvl2 = True  # type: ignore[attr-defined]
    setattr(module, name, explained)


def _explained(model_name: str, found: dict[str, Any]) -> dict[str, Any]:
    from xinference.model.llm import llm_family

    family = llm_family.get_llm_family_by_name(model_name)
    if family is None or records.family_of(family) is None:
        return found
    answer = dict(found)
    for engine, rows in found.items():
        loader = launch_guard.loader(llm_family.SUPPORTED_ENGINES, engine)
        if loader is None:
            continue
        if not isinstance(rows, list):
            # The host's reason is that of its own first loader, which knows no remedy.
            installed = loader.check_lib()
            answer[engine] = rows if installed is True else installed[1]
            continue
        reasons = _reasons(loader, family, engine)
        # Without a virtual environment the host has rows of its start, which are for one.
        answer[engine] = [row for row in (_left(row, reasons) for row in rows) if row]
        answer |= {f"{engine} ({' '.join(key)})": reason for key, reason in reasons.items()}
    return answer


def _reasons(loader: Any, family: Any, engine: str) -> dict[tuple[str, str], str]:
    """Format and quantization → why `loader` does not serve here what its engine serves."""
    reasons = {}
    for spec in family.model_specs:
        if serves(family, spec, spec.quantization, engine) is True:
            verdict = loader.match_json(family, spec, spec.quantization)
            if verdict is not True:
                reasons[spec.model_format, spec.quantization] = verdict[1]
    return reasons


def _left(row: dict[str, Any], reasons: dict[tuple[str, str], str]) -> dict[str, Any] | None:
    left = [q for q in row["quantizations"] if (row["model_format"], q) not in reasons]
    return {**row, "quantizations": left} if left else None
