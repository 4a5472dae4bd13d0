"""A family as the host and our loaders read it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .model import Family, ModelSpec, Source


def registration(family: Family) -> dict[str, Any]:
    """Return the family as a record of the host's catalog."""
    return {
        "version": 2,
        "context_length": family.context_length,
        "model_name": family.name,
        "model_lang": list(family.languages),
        "model_ability": list(family.abilities),
        "model_description": family.description,
        "model_specs": [_spec(spec) for spec in family.specs],
        **family.host_settings,
        **({"architectures": list(family.architectures)} if family.architectures else {}),
        "updated_at": family.updated_at,
    }


def _spec(spec: ModelSpec) -> dict[str, Any]:
    record: dict[str, Any] = {
        "model_format": spec.model_format,
        "model_size_in_billions": spec.size,
    }
    if spec.activated_size is not None:
        record["activated_size_in_billions"] = spec.activated_size
    return record | {"model_src": {source.hub: _source(source) for source in spec.sources}}


def _source(source: Source) -> dict[str, Any]:
    record: dict[str, Any] = {
        "quantizations": list(source.quantizations),
        "model_id": source.model_id,
    }
    if source.model_revision is not None:
        record["model_revision"] = source.model_revision
    return {**record, **source.settings}


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
            }
            for spec, serving in family.served_specs
        ],
    }
