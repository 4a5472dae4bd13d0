"""What the generator wrote for the loaders: prompt formats, and which engine serves what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

FAMILIES = Path(__file__).resolve().parent / "families"
RUNTIME_SUFFIX = ".runtime.json"

Verdict = Literal[True] | tuple[Literal[False], str]

_withdrawn: set[str] = set()


@dataclass(frozen=True)
class PromptFormat:
    """How the turns of a conversation become one string."""

    name: str
    system_text: str
    roles: Mapping[str, str]
    turn_end: str
    stop: tuple[str, ...]


@dataclass(frozen=True)
class SpecRuntime:
    """One model spec, and the quantizations that each engine serves of it."""

    model_format: str
    model_size_in_billions: int | str
    quantizations: tuple[str, ...]
    prompt_format: str
    backbone: str
    engines: Mapping[str, tuple[str, ...]]
    memory: Mapping[str, Any] = field(default_factory=dict)
    """The bytes that a request needs, by quantization; empty where they are not known."""


@dataclass(frozen=True)
class Runtime:
    """One model family as the loaders see it."""

    model_name: str
    prompt_formats: Mapping[str, PromptFormat]
    model_specs: tuple[SpecRuntime, ...]


@cache
def load_runtimes() -> Mapping[str, Runtime]:
    """Return the runtime data of every family that this plugin brings, by model name."""
    files = sorted(FAMILIES.glob(f"*{RUNTIME_SUFFIX}"))
    runtimes = [_runtime(json.loads(file.read_text(encoding="utf-8"))) for file in files]
    return {runtime.model_name: runtime for runtime in runtimes}


def withdraw(model_name: str) -> None:
    """Leave a family to the host: our loaders no longer match it in this process."""
    _withdrawn.add(model_name)


def restore() -> None:
    """Undo every `withdraw()`; the host rebuilds its catalog from the start."""
    _withdrawn.clear()


def family_of(model_family: Any) -> Runtime | None:
    """Return the runtime data that applies to a family of the host, a custom one included."""
    for name in (model_family.model_name, model_family.model_family):
        runtime = load_runtimes().get(str(name))
        if runtime is not None and name not in _withdrawn:
            return runtime
    return None


def prompt_formats() -> Mapping[str, PromptFormat]:
    """Return the prompt formats of all our families by their names."""
    runtimes = load_runtimes().values()
    return {key: item for runtime in runtimes for key, item in runtime.prompt_formats.items()}


def prompt_format_named(name: str) -> PromptFormat:
    """Return a prompt format of any of our families.

    Raises:
        ValueError: no family has a prompt format of that name.
    """
    formats = prompt_formats()
    if name not in formats:
        raise ValueError(f"prompt format {name!r} is not one of {_listed(formats)}")
    return formats[name]


def serves(model_family: Any, model_spec: Any, quantization: str | None, engine: str) -> Verdict:
    """Say whether `engine` serves a spec of the host with our loaders, and if not, why not.

    A custom family of one of our families may have any size: only its format and its
    quantization have to be ones that the engine serves.
    """
    runtime = family_of(model_family)
    if runtime is None:
        return False, _not_ours(str(model_family.model_family or model_family.model_name))
    specs, missing = _candidates(runtime, model_family, model_spec)
    if not specs:
        return False, missing
    wanted = quantization or "none"
    served = _unique(q for spec in specs for q in _by_engine(spec, engine))
    if wanted.lower() in (q.lower() for q in served):
        return True
    return False, _refusal(runtime, model_spec.model_format, wanted, engine, specs)


def _not_ours(name: str) -> str:
    if name in _withdrawn:
        return f"The host has the model family {name} itself, so xinference-internvl2 leaves it."
    return f"The plugin xinference-internvl2 serves {_listed(load_runtimes())}, not {name}."


def _candidates(
    runtime: Runtime, model_family: Any, model_spec: Any
) -> tuple[list[SpecRuntime], str]:
    name, wanted = runtime.model_name, model_spec.model_format
    same_format = [spec for spec in runtime.model_specs if spec.model_format == wanted]
    if not same_format:
        formats = _listed(spec.model_format for spec in runtime.model_specs)
        return [], f"{name} has no model spec of format {wanted}; its formats are {formats}."
    if model_family.model_name != name:
        return same_format, ""
    size = str(model_spec.model_size_in_billions)
    sizes = [str(spec.model_size_in_billions) for spec in same_format]
    missing = f"{name} has no {wanted} spec of size {size}; its sizes are {_listed(sizes)}."
    return [spec for spec, own in zip(same_format, sizes, strict=True) if own == size], missing


def _refusal(
    runtime: Runtime, model_format: str, wanted: str, engine: str, specs: list[SpecRuntime]
) -> str:
    what = f"{runtime.model_name} in format {model_format}"
    served = _unique(q for spec in specs for q in _by_engine(spec, engine))
    others = _unique(
        name
        for spec in specs
        for name, quantizations in spec.engines.items()
        if wanted.lower() in (q.lower() for q in quantizations)
    )
    remedy = f"; quantization {wanted} is served by {_listed(others)}." if others else "."
    if not served:
        return f"{engine} does not serve {what}{remedy}"
    return f"{engine} serves {what} with quantization {_listed(served)}, not {wanted}{remedy}"


def _by_engine(spec: SpecRuntime, engine: str) -> tuple[str, ...]:
    by_name = {name.lower(): quantizations for name, quantizations in spec.engines.items()}
    return by_name.get(engine.lower(), ())


def _runtime(data: Mapping[str, Any]) -> Runtime:
    formats = data["prompt_formats"]
    return Runtime(
        model_name=data["model_name"],
        prompt_formats={name: _prompt_format(name, formats[name]) for name in formats},
        model_specs=tuple(_spec(spec) for spec in data["model_specs"]),
    )


def _prompt_format(name: str, data: Mapping[str, Any]) -> PromptFormat:
    return PromptFormat(name=name, **{**data, "stop": tuple(data["stop"])})


def _spec(data: Mapping[str, Any]) -> SpecRuntime:
    engines = {name: tuple(quantizations) for name, quantizations in data["engines"].items()}
    quantizations = tuple(data["quantizations"])
    return SpecRuntime(**{**data, "quantizations": quantizations, "engines": engines})


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _listed(items: Iterable[str]) -> str:
    return ", ".join(_unique(items)) or "nothing"
