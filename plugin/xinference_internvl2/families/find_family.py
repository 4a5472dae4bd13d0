"""Finds the family of a model by its name, or by the `template` of its checkpoint."""

from __future__ import annotations

from typing import Any

from .records import FamilyRuntime, load_runtimes
from .withdrawn import is_withdrawn

DEFAULT_FAMILY = "internvl2"
"""The family in which a prompt format is looked up first if none is named."""


def family_of(model_family: Any) -> FamilyRuntime | None:
    """Return our data for a family record of the host, or None if it is none of our families.

    A family that a user registered names one of ours in its `model_family`.
    """
    for name in (model_family.model_name, model_family.model_family):
        runtime = load_runtimes().get(str(name))
        if runtime is not None and not is_withdrawn(name):
            return runtime
    return None


def find_family(prompt_format: str, family: str | None = None) -> FamilyRuntime:
    """Return the family named `family`, or one whose checkpoints have a prompt format.

    Without a name it is InternVL2 or, where InternVL2 has no such prompt format, the first family
    that has.
    """
    runtimes = load_runtimes()
    having = [each for each in runtimes.values() if prompt_format in each.prompt_formats]
    default = runtimes[DEFAULT_FAMILY]
    if family is not None:
        default = runtimes[family]
    elif having and default not in having:
        default = having[0]
    return default
