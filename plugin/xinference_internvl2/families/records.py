"""Reads what the generator wrote for the loaders: prompt formats, and which engine serves what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .memory_estimate import Memory

FAMILIES = Path(__file__).resolve().parent
RUNTIME_SUFFIX = ".runtime.json"


@dataclass(frozen=True)
class PromptFormat:
    """How the turns of a conversation become one string: `prompt_formats` of `family_specs/`."""

    name: str
    system_text: str
    roles: Mapping[str, str]
    turn_end: str
    stop: tuple[str, ...]
    image_labels: bool = True
    """Whether several images are numbered and put before the text."""

    @classmethod
    def parse(cls, name: str, data: Mapping[str, Any]) -> PromptFormat:
        """Return the prompt format `name` from what the generator wrote of it."""
        return cls(name=name, **{**data, "stop": tuple(data["stop"])})


@dataclass(frozen=True)
class SpecRuntime:
    """One model spec, and the quantizations that each engine serves of it."""

    model_format: str
    model_size_in_billions: int | str
    engines: Mapping[str, tuple[str, ...]]
    memory: Memory | None = None
    """None where the dimensions of the checkpoint are not known."""


@dataclass(frozen=True)
class FamilyRuntime:
    """One model family as the loaders see it."""

    model_name: str
    prompt_formats: Mapping[str, PromptFormat]
    model_specs: tuple[SpecRuntime, ...]


def read_registration(model_name: str) -> dict[str, Any]:
    """Return the registration of one of our families, as the host reads it."""
    records = json.loads((FAMILIES / f"{model_name}.json").read_text(encoding="utf-8"))
    registration: dict[str, Any] = records[0]
    return registration


@cache
def load_runtimes() -> Mapping[str, FamilyRuntime]:
    """Return the runtime data of every family that this plugin brings, by model name."""
    files = sorted(FAMILIES.glob(f"*{RUNTIME_SUFFIX}"))
    runtimes = [_parse_runtime(json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return {runtime.model_name: runtime for runtime in runtimes}


def _parse_runtime(data: Mapping[str, Any]) -> FamilyRuntime:
    formats = data["prompt_formats"]
    return FamilyRuntime(
        model_name=data["model_name"],
        prompt_formats={name: PromptFormat.parse(name, formats[name]) for name in formats},
        model_specs=tuple(_parse_spec(spec) for spec in data["model_specs"]),
    )


def _parse_spec(data: Mapping[str, Any]) -> SpecRuntime:
    engines = {name: tuple(quantizations) for name, quantizations in data["engines"].items()}
    memory = Memory(**data["memory"]) if "memory" in data else None
    return SpecRuntime(**{**data, "engines": engines, "memory": memory})
