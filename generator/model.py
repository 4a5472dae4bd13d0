"""The model of a family: what every output reads, with all defaults unfolded.

The schema has checked the shape before anything comes here, and `rules` what one part of a spec
says about another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How a conversation becomes the text that the model reads."""

    name: str
    system_text: str
    roles: Mapping[str, str]
    turn_end: str
    stop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A repository on a model hub."""

    hub: str
    model_id: str
    model_revision: str | None


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
class ModelSpec:
    """One checkpoint of a family."""

    model_format: str
    size: int | str
    quantizations: tuple[str, ...]
    sources: tuple[Source, ...]
    serving: Serving | None
    """None for a checkpoint that other loaders than ours serve."""
    published_engines: tuple[EngineSupport, ...] | None

    @property
    def page_engines(self) -> tuple[EngineSupport, ...]:
        """The engines of the model page: those published, else those that we serve."""
        if self.published_engines is not None:
            return self.published_engines
        return self.serving.engines if self.serving else ()


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

    @property
    def served_specs(self) -> tuple[tuple[ModelSpec, Serving], ...]:
        """The checkpoints that our loaders serve."""
        return tuple((spec, spec.serving) for spec in self.specs if spec.serving)


_HOST_SETTINGS = ("chat_template", "stop_token_ids", "stop", "featured", "virtualenv")


def family(data: Mapping[str, Any]) -> Family:
    """Return the model of a spec whose data has passed every check."""
    return Family(
        name=data["model_name"],
        updated_at=data["updated_at"],
        context_length=data["context_length"],
        languages=tuple(data["model_lang"]),
        abilities=tuple(data["model_ability"]),
        description=data["model_description"],
        architectures=tuple(data["architectures"]),
        specs=tuple(model_spec(spec) for spec in data["model_specs"]),
        prompt_formats=tuple(
            PromptFormat(name, f["system_text"], f["roles"], f["turn_end"], tuple(f["stop"]))
            for name, f in data.get("prompt_formats", {}).items()
        ),
        host_settings={key: data[key] for key in _HOST_SETTINGS if key in data},
    )


def model_spec(data: Mapping[str, Any]) -> ModelSpec:
    """Return the model of one entry of `model_specs`."""
    published = data.get("published_engines")
    serving = None
    if "engines" in data:
        engines = _engines(data["engines"])
        serving = Serving(data["prompt_format"], data["backbone"], engines)
    return ModelSpec(
        model_format=data["model_format"],
        size=data["model_size_in_billions"],
        quantizations=tuple(data["quantizations"]),
        sources=tuple(
            Source(hub, source["model_id"], source.get("model_revision"))
            for hub, source in data["model_src"].items()
        ),
        serving=serving,
        published_engines=None if published is None else _engines(published),
    )


def _engines(data: Mapping[str, list[str]]) -> tuple[EngineSupport, ...]:
    return tuple(EngineSupport(engine, tuple(served)) for engine, served in data.items())
