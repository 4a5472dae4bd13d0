"""A family as our loaders read it: what `families/records.py` of the plugin holds, and no more."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..family.model import Family, PromptFormat


def runtime(family: Family) -> dict[str, Any]:
    """Return the prompt formats and the engines of the checkpoints that our loaders serve."""
    return {
        "model_name": family.name,
        "prompt_formats": {each.name: _without_name(each) for each in family.prompt_formats},
        "model_specs": [
            {
                "model_format": spec.model_format,
                "model_size_in_billions": spec.size,
                "engines": {s.engine: list(s.quantizations) for s in serving.engines},
            }
            for spec, serving in family.served_specs
        ],
    }


def _without_name(prompt_format: PromptFormat) -> dict[str, Any]:
    return {key: value for key, value in asdict(prompt_format).items() if key != "name"}
