"""Tells which of our families a checkpoint is of, in the processes of vLLM, or that it is of none.

vLLM reads a configuration several times, and not always with `hf_overrides`, so the family of each
checkpoint is noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checkpoint.backbones import BACKBONES
from ..families.find_family import DEFAULT_FAMILY
from ..families.records import load_runtimes

MODEL_TYPE = "internvl_chat"
FAMILY = "internvl2_family"
"""The key of `hf_overrides` that names the family of a checkpoint."""
_families: dict[str, str] = {}
"""Path or repository → its family."""


def is_ours(values: Mapping[str, Any], family: str) -> bool:
    """Whether a `config.json` is of the family named `family`.

    Later InternVL models have the same `model_type`, and vLLM serves them itself. Nothing in the
    file tells InternVL2.5 from InternVL3, which has the same prompt format and language models. So
    the family has to be named, by our loader or in `hf_overrides`; the default is InternVL2, whose
    prompt formats no later model has.
    """
    formats = load_runtimes()[family].prompt_formats if family in load_runtimes() else {}
    llm = values.get("llm_config")
    architectures = llm.get("architectures") if isinstance(llm, Mapping) else None
    return (
        values.get("model_type") == MODEL_TYPE
        and isinstance(values.get("template"), str)
        and values["template"] in formats
        and isinstance(architectures, list)
        and architectures[:1] != []
        and isinstance(architectures[0], str)
        and architectures[0] in BACKBONES
    )


def note_family(path: str, family: str) -> None:
    """Note the family of the checkpoint at a path or in a repository."""
    _families[path] = family


def choose_family(model: Any, overrides: Any) -> str:
    """Return the family that `overrides` name, or the one that was noted, or InternVL2."""
    if isinstance(overrides, Mapping) and isinstance(overrides.get(FAMILY), str):
        _families[str(model)] = overrides[FAMILY]
    return _families.get(str(model), DEFAULT_FAMILY)
