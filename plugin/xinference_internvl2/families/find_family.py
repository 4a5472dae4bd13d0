"""Finds the family of a model, and its prompt format, by its name or by its `template`."""

from __future__ import annotations

from typing import Any

from ..errors import CheckpointError
from .prompt_format import PromptFormat
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


def prompt_format_of(model_family: Any, name: str) -> PromptFormat:
    """Return the prompt format `name` of a family record of the host.

    Raises:
        CheckpointError: it is none of our families, or has no such prompt format.
    """
    runtime = family_of(model_family)
    if runtime is None:
        raise CheckpointError(
            f"{model_family.model_name} is no family of xinference-internvl2; launch another"
        )
    return _select(runtime, name)


def find_prompt_format(name: str, family: str | None = None) -> PromptFormat:
    """Return the prompt format `name` of one of our families; errors as for `prompt_format_of`.

    Args:
        family: as for `find_family`.
    """
    return _select(find_family(name, family), name)


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


def _select(runtime: FamilyRuntime, name: str) -> PromptFormat:
    if name not in runtime.prompt_formats:
        known = ", ".join(runtime.prompt_formats)
        raise CheckpointError(
            f"the checkpoint's template {name!r} is no prompt format of {runtime.model_name} "
            f"({known}); launch it as a model of the family that it belongs to"
        )
    return runtime.prompt_formats[name]
