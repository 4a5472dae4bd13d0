"""Looks up the prompt format that the `template` of a checkpoint's `config.json` names."""

from __future__ import annotations

from typing import Any

from ..errors import CheckpointError
from .find_family import family_of, find_family
from .records import FamilyRuntime, PromptFormat


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


def _select(runtime: FamilyRuntime, name: str) -> PromptFormat:
    if name not in runtime.prompt_formats:
        known = ", ".join(runtime.prompt_formats)
        raise CheckpointError(
            f"the checkpoint's template {name!r} is no prompt format of {runtime.model_name} "
            f"({known}); launch it as a model of the family that it belongs to"
        )
    return runtime.prompt_formats[name]
