"""A family as a record of the host's catalog."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..family.memory_from_dimensions import estimate_by_quantization
from ..family.model import Family, ModelSpec, Source

_VISION = ("hidden_size", "intermediate_size", "num_attention_heads")


def make_registration(family: Family) -> dict[str, Any]:
    """Return the family as a record of the host's catalog."""
    return {
        "version": 2,
        "context_length": family.context_length,
        "model_name": family.name,
        "model_lang": list(family.languages),
        "model_ability": list(family.abilities),
        "model_description": family.description,
        "model_specs": [_make_spec(spec, family) for spec in family.specs],
        **family.host_settings,
        **({"architectures": list(family.architectures)} if family.architectures else {}),
        "updated_at": family.updated_at,
    }


def _make_spec(spec: ModelSpec, family: Family) -> dict[str, Any]:
    record: dict[str, Any] = {
        "model_format": spec.model_format,
        "model_size_in_billions": spec.size,
    }
    if spec.activated_size is not None:
        record["activated_size_in_billions"] = spec.activated_size
    sources = {source.hub: _make_source(source, spec, family) for source in spec.sources}
    return record | {"model_src": sources}


def _make_source(source: Source, spec: ModelSpec, family: Family) -> dict[str, Any]:
    record: dict[str, Any] = {
        "quantizations": list(source.quantizations),
        "model_id": source.model_id,
    }
    if source.model_revision is not None:
        record["model_revision"] = source.model_revision
    return {**record, **_make_settings(source, spec, family)}


def _make_settings(source: Source, spec: ModelSpec, family: Family) -> dict[str, Any]:
    """Return the optional keys of the host's catalog."""
    settings = dict(source.settings)
    if spec.vision_tower is None or "model_metadata" not in settings:
        return settings
    tower = asdict(family.vision_towers[spec.vision_tower])
    vision = {key: tower[key] for key in _VISION} | {"spatial_merge_size": 2}
    dimensions = {**settings.pop("model_metadata"), "vision": vision}
    # The host cannot tell what weights take that are quantized in part: it gets their bytes.
    settings["model_metadata_by_quantization"] = {
        quantization: {**dimensions, "weights_bytes": memory.weights}
        for quantization, memory in estimate_by_quantization(family, spec).items()
        if quantization in source.quantizations
    }
    return settings
