"""Tells which families are ours, by their record or name, and which launched models are of one.

A family that a user has registered on top of ours is one of ours under a name of its own.
"""

from __future__ import annotations

from typing import Any

from ..families import records
from ..families.find_family import family_of

_registered: set[str] = set()
"""Names of registered families on top of ours, as far as requests to their models were seen."""


def is_our_family(family: Any) -> bool:
    """Whether a family record of the host is one of ours; None is not."""
    return family is not None and family_of(family) is not None


def find_our_family(model_name: str) -> Any:
    """Return our family of that name in the catalog or among users' registrations, or None."""
    from xinference.model.llm.custom import get_user_defined_llm_families
    from xinference.model.llm.llm_family import BUILTIN_LLM_FAMILIES

    families = [*BUILTIN_LLM_FAMILIES, *get_user_defined_llm_families()]
    found = next((family for family in families if family.model_name == model_name), None)
    return found if is_our_family(found) else None


async def is_our_model(api: Any, model_uid: str) -> bool:
    """Whether a launched model is of one of our families; False if there is no such model."""
    try:
        supervisor = await api._get_supervisor_ref()
        try:
            description = await supervisor.describe_model(model_uid)
        except Exception:
            # Its process is being started; what was launched is known all the same.
            found = await supervisor.get_instance_info(None, model_uid)
            return bool(found) and _is_our_name(found[0]["model_name"])
    except Exception:
        # The host reports it.
        return False
    name = description.get("model_name")
    if description.get("model_family") in records.load_runtimes():
        _registered.add(name)
    return _is_our_name(name)


def _is_our_name(name: str) -> bool:
    """The API's process has no record of a family that a user has registered elsewhere."""
    return name in records.load_runtimes() or name in _registered
