"""Tells whether a launched model is one of ours, also under a name that a user has registered."""

from __future__ import annotations

from typing import Any

from ..families import records

_names_of_ours: set[str] = set()
"""Names of registered families on top of ours, as far as requests to their models were seen."""


async def is_ours(api: Any, model_uid: str) -> bool:
    """Whether a launched model is of one of our families; False if there is no such model."""
    try:
        supervisor = await api._get_supervisor_ref()
        try:
            description = await supervisor.describe_model(model_uid)
        except Exception:
            # Its process is being started; what was launched is known all the same.
            found = await supervisor.get_instance_info(None, model_uid)
            return bool(found) and _is_family_of_ours(found[0]["model_name"])
    except Exception:
        # The host reports it.
        return False
    name = description.get("model_name")
    if description.get("model_family") in records.load_runtimes():
        _names_of_ours.add(name)
    return _is_family_of_ours(name)


def _is_family_of_ours(name: str) -> bool:
    return name in records.load_runtimes() or name in _names_of_ours
