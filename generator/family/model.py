"""The model of a family: what every output reads, with all defaults unfolded.

The schema has checked the shape before anything comes here, and `spec/cross_field_rules.py` what
one part of a spec says about another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .catalog_keys import HOST_SETTINGS, SOURCE_SETTINGS


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How a conversation becomes the text that the model reads."""

    name: str
    system_text: str
    roles: Mapping[str, str]
    turn_end: str
    stop: tuple[str, ...]
    image_labels: bool = True
    """Several images are numbered, and come before the text."""


@dataclass(frozen=True, slots=True)
class Source:
    """A repository on a model hub."""

    hub: str
    model_id: str
    model_revision: str | None
    quantizations: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Optional keys of the host's catalog: the names of files, a draft model, dimensions."""


@dataclass(frozen=True, slots=True)
class EngineSupport:
    """An engine and the quantizations of a checkpoint that it serves."""

    engine: str
    quantizations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    """What our loaders need to serve a checkpoint."""

    prompt_format: str
    backbone: str
    engines: tuple[EngineSupport, ...]


@dataclass(frozen=True, slots=True)
class VisionTower:
    """The dimensions of a vision tower, by the names of its configuration; lengths in pixels."""

    name: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: int
    patch_size: int
    norm_type: str
    qkv_bias: bool
    qk_normalization: bool

    @property
    def patches(self) -> int:
        """The patches of a tile and the class token."""
        return (self.image_size // self.patch_size) ** 2 + 1


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One checkpoint of a family."""

    model_format: str
    size: int | str
    quantizations: tuple[str, ...]
    sources: tuple[Source, ...]
    serving: Serving | None
    """None for a checkpoint that other loaders than ours serve."""
    published_engines: tuple[EngineSupport, ...] | None
    activated_size: int | str | None = None
    shadowed: bool = False
    """The host launches an earlier checkpoint instead."""
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    """The dimensions of the language model that the checkpoint says for all of its hubs."""
    vision_tower: str | None = None

    @property
    def all_quantizations(self) -> tuple[str, ...]:
        """The quantizations of the checkpoint on any of its hubs."""
        of_sources = (q for source in self.sources for q in source.quantizations)
        return tuple(dict.fromkeys([*self.quantizations, *of_sources]))


@dataclass(frozen=True, slots=True)
class Family:
    """A model family."""

    name: str
    updated_at: int
    context_length: int
    languages: tuple[str, ...]
    abilities: tuple[str, ...]
    description: str
    architectures: tuple[str, ...]
    specs: tuple[ModelSpec, ...]
    prompt_formats: tuple[PromptFormat, ...]
    host_settings: Mapping[str, Any] = field(default_factory=dict)
    """Optional keys of the host's catalog, handed on as they are."""
    vision_towers: Mapping[str, VisionTower] = field(default_factory=dict)

    @property
    def served_specs(self) -> tuple[tuple[ModelSpec, Serving], ...]:
        """The checkpoints that our loaders serve."""
        return tuple((spec, spec.serving) for spec in self.specs if spec.serving)


def make_family(data: Mapping[str, Any]) -> Family:
    """Return the model of a spec whose data has passed every check."""
    return Family(
        name=data["model_name"],
        updated_at=data["updated_at"],
        context_length=data["context_length"],
        languages=tuple(data["model_lang"]),
        abilities=tuple(data["model_ability"]),
        description=data["model_description"],
        architectures=tuple(data.get("architectures", ())),
        specs=tuple(make_model_spec(spec) for spec in data["model_specs"]),
        prompt_formats=tuple(
            PromptFormat(name=name, **{**f, "stop": tuple(f["stop"])})
            for name, f in data.get("prompt_formats", {}).items()
        ),
        host_settings={key: data[key] for key in HOST_SETTINGS if key in data},
        vision_towers={
            name: VisionTower(name, **tower)
            for name, tower in data.get("vision_towers", {}).items()
        },
    )


def make_model_spec(data: Mapping[str, Any]) -> ModelSpec:
    """Return the model of one entry of `model_specs`."""
    published = data.get("published_engines")
    serving = None
    if "engines" in data:
        engines = _make_engines(data["engines"])
        serving = Serving(data["prompt_format"], data["backbone"], engines)
    return ModelSpec(
        model_format=data["model_format"],
        size=data["model_size_in_billions"],
        quantizations=tuple(data["quantizations"]),
        sources=tuple(_make_source(hub, source, data) for hub, source in data["model_src"].items()),
        serving=serving,
        published_engines=None if published is None else _make_engines(published),
        activated_size=data.get("activated_size_in_billions"),
        shadowed=data.get("shadowed", False),
        dimensions=data.get("model_metadata", {}),
        vision_tower=data.get("vision_tower"),
    )


def _make_source(hub: str, own: Mapping[str, Any], shared: Mapping[str, Any]) -> Source:
    both = {**shared, **own}
    settings = {key: both[key] for key in SOURCE_SETTINGS if key in both}
    settings |= _merge_metadata(shared, own)
    quantizations = tuple(both["quantizations"])
    return Source(hub, own["model_id"], own.get("model_revision"), quantizations, settings)


def _merge_metadata(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dimensions as the host has them: of a hub, or of each of its quantizations."""
    both = {**shared, **own}
    common = {**shared.get("model_metadata", {}), **own.get("model_metadata", {})}
    if "model_metadata_by_quantization" in both:
        of_each = both["model_metadata_by_quantization"].items()
        return {"model_metadata_by_quantization": {q: {**common, **m} for q, m in of_each}}
    return {"model_metadata": common} if common else {}


def _make_engines(data: Mapping[str, list[str]]) -> tuple[EngineSupport, ...]:
    return tuple(EngineSupport(engine, tuple(served)) for engine, served in data.items())
