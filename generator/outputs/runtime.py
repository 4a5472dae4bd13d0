"""A family as our loaders read it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..family.memory import CONTEXT, TILES, estimates
from ..family.model import Family, ModelSpec


def runtime(family: Family) -> dict[str, Any]:
    """Return what our loaders need to serve the family."""
    formats = {}
    for prompt_format in family.prompt_formats:
        formats[prompt_format.name] = asdict(prompt_format)
        del formats[prompt_format.name]["name"]
    return {
        "model_name": family.name,
        "prompt_formats": formats,
        "model_specs": [
            {
                "model_format": spec.model_format,
                "model_size_in_billions": spec.size,
                "quantizations": list(spec.quantizations),
                "prompt_format": serving.prompt_format,
                "backbone": serving.backbone,
                "engines": {s.engine: list(s.quantizations) for s in serving.engines},
                **_memory(family, spec),
            }
            for spec, serving in family.served_specs
        ],
    }


def _memory(family: Family, spec: ModelSpec) -> dict[str, Any]:
    if not (known := estimates(family, spec)):
        return {}
    needed = {quantization: asdict(memory) for quantization, memory in known.items()}
    return {"memory": {"context": CONTEXT, "tiles": TILES, "bytes": needed}}
