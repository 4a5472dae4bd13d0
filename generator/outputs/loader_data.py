"""Loader data: a family as `families/records.py` of the plugin reads it, and no more."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..family.memory_from_dimensions import UnitMemory, estimate_by_quantization, find_dimensions
from ..family.model import Family, ModelSpec, PromptFormat


def make_loader_data(family: Family) -> dict[str, Any]:
    """Return the prompt formats, and of the checkpoints that our loaders serve the engines and the
    memory."""
    return {
        "model_name": family.name,
        "prompt_formats": {each.name: _drop_name(each) for each in family.prompt_formats},
        "model_specs": [
            {
                "model_format": spec.model_format,
                "model_size_in_billions": spec.size,
                "engines": {s.engine: list(s.quantizations) for s in serving.engines},
                **_make_memory(family, spec),
            }
            for spec, serving in family.served_specs
        ],
    }


def _drop_name(prompt_format: PromptFormat) -> dict[str, Any]:
    return {key: value for key, value in asdict(prompt_format).items() if key != "name"}


def _make_memory(family: Family, spec: ModelSpec) -> dict[str, Any]:
    """Return the bytes of the weights by quantization, and what tokens and tiles take."""
    if not (parts := find_dimensions(family, spec)):
        return {}
    weights = {
        name: memory.weights for name, memory in estimate_by_quantization(family, spec).items()
    }
    return {"memory": {"weights": weights, **asdict(UnitMemory.from_models(*parts))}}
