"""Lets only our loader classes launch our families, and says why a launch is refused.

In virtual environment mode, where no class matches, the host falls back to a loader class that it
chooses by its name, for engines that it could install. For our families that would be a
loader of another model, on an engine or a quantization that the engine matrix does not list.
"""

from __future__ import annotations

import functools
import inspect
from types import ModuleType, SimpleNamespace
from typing import Any

from ..families.engine_matrix import serves
from ..patching import patch
from .our_families import find_our_family, is_our_family
from .virtual_env import set_virtual_env

WITHOUT_VIRTUALENV = "check_engine_by_spec_parameters"
OURS = f"{__name__.partition('.')[0]}."
GUARDED = (WITHOUT_VIRTUALENV, f"{WITHOUT_VIRTUALENV}_with_virtual_env")


def guard_launches(llm_family: ModuleType) -> None:
    """Let the host launch our families with our own loader classes alone, or say why it cannot."""
    for name in GUARDED:
        patch(
            llm_family,
            name,
            functools.partial(_choose_ours, llm_family, name != WITHOUT_VIRTUALENV),
            without="xinference may choose a loader of another model for a family of ours",
        )


def _choose_ours(llm_family: ModuleType, virtual_env: bool, check: Any) -> Any:
    signature = inspect.signature(check)

    def check_engine(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs).arguments
        family = call.get("llm_family") or find_our_family(call["model_name"])
        if not is_our_family(family):
            return check(*args, **kwargs)
        with set_virtual_env(virtual_env):
            found = _find_class(llm_family.SUPPORTED_ENGINES, family, call)
        # A virtual environment may bring the library; without one it has to be here.
        installed = virtual_env or found.check_lib()
        if installed is not True:
            raise ValueError(installed[1])
        return found

    return check_engine


def _find_class(engines: dict[str, list[type]], family: Any, call: dict[str, Any]) -> Any:
    engine, quantization = call["model_engine"], call["quantization"]
    spec = SimpleNamespace(
        model_format=call["model_format"],
        model_size_in_billions=call["model_size_in_billions"],
    )
    found = find_loader(engines, engine)
    verdict = (
        found.match_json(family, spec, quantization)
        if found is not None
        else serves(family, spec, quantization, engine)
    )
    if verdict is not True:
        raise ValueError(verdict[1])
    if found is None:
        raise ValueError(
            f"The {engine} loader of xinference-internvl2 is not available in this process; look"
            " for the reason in the log of its start, or launch with another engine."
        )
    return found


def find_loader(engines: dict[str, list[type]], engine: str) -> Any:
    """Return our loader class among those of an engine, or None."""
    classes = [cls for name in engines if name.lower() == engine.lower() for cls in engines[name]]
    return next((cls for cls in classes if cls.__module__.startswith(OURS)), None)
