"""Judges which checkpoints fit a machine, and which of them is the best choice."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..families.memory_estimate import VLLM_SHARE, Memory, Use
from ..families.records import SpecRuntime, load_runtimes
from .devices import Device
from .installation import Engine

LIBRARIES = 10**9
"""Bytes that torch and its libraries take beside a model."""
ANSWER = 512
"""The least tokens of question and answer that have to fit beside the pictures."""
STEP = 256
CPU_WEIGHTS = 5 * 10**9
"""Bytes of weights beyond which an answer on a CPU takes minutes: each token reads all of them."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a checkpoint fits on an engine; sizes are in bytes.

    Attributes:
        needed: with the context that is asked for, on one device.
        context: the tokens that fit; 0 if it does not fit at all.
        devices: how many devices it takes; 0 if it does not fit.
        asked: the context that is asked for, in tokens.
    """

    engine: str
    family: str
    size: str
    model_format: str
    quantization: str
    weights: int
    needed: int
    context: int
    devices: int
    asked: int

    @property
    def verdict(self) -> str:
        """Whether it fits, in words."""
        if not self.devices:
            return "does not fit"
        words = "fits" if self.context == self.asked else f"fits with a context of {self.context}"
        return words if self.devices == 1 else f"{words} on {self.devices} cards"


def list_fits(machine: Sequence[Device], use: Use) -> list[Fit]:
    """Judge every checkpoint of every family, on each engine that serves it."""
    return [
        judge_fit(machine, use, name, spec, spec.memory, engine, quantization)
        for name, runtime in load_runtimes().items()
        for spec in runtime.model_specs
        if spec.memory is not None
        for quantization in spec.memory.weights
        for engine, served in spec.engines.items()
        if quantization in served
    ]


def list_unknown() -> list[str]:
    """Return the checkpoints whose dimensions, and so whose memory, are not known."""
    return [
        f"{name} {spec.model_size_in_billions} ({spec.model_format})"
        for name, runtime in load_runtimes().items()
        for spec in runtime.model_specs
        if spec.memory is None
    ]


def judge_fit(
    machine: Sequence[Device],
    use: Use,
    family: str,
    spec: SpecRuntime,
    memory: Memory,
    engine: str,
    quantization: str,
) -> Fit:
    """Judge how one checkpoint fits on one engine, with as few devices as possible."""
    counts = [n for n in (1, 2, 4, 8) if n <= len(machine)]
    context = devices = 0
    for devices in counts:
        room = min(_count_room(device, engine) for device in machine[:devices])

        def needs(context: int, devices: int = devices) -> int:
            return memory.total(quantization, replace(use, context=context), engine, devices)

        if context := _find_context(use, needs, room):
            break
    return Fit(
        engine=engine,
        family=family,
        size=str(spec.model_size_in_billions),
        model_format=spec.model_format,
        quantization=quantization,
        weights=memory.weights[quantization],
        needed=memory.total(quantization, use, engine) + LIBRARIES,
        context=context,
        devices=devices if context else 0,
        asked=use.context,
    )


def _count_room(device: Device, engine: str) -> int:
    """Return the bytes of a device that a model may take."""
    if engine != "vLLM":
        return device.free - LIBRARIES
    of = device.total if device.kind == "gpu" else device.free
    return min(round(VLLM_SHARE[device.kind] * of), device.free) - LIBRARIES


def _find_context(use: Use, needs: Callable[[int], int], room: int) -> int:
    """Return the longest context that fits, in tokens, up to the one that is asked for.

    Args:
        needs: context → bytes, which never fall as it grows.
        room: bytes that there are.

    Returns:
        0 if not even the pictures and a short answer fit.
    """
    if needs(use.context) <= room:
        return use.context
    least = min(use.picture_tokens + ANSWER, use.context)
    steps = range(-(-least // STEP), use.context // STEP + 1)
    fitting = bisect_right(steps, room, key=lambda n: needs(n * STEP))
    return steps[fitting - 1] * STEP if fitting else 0


def choose_best(
    found: Sequence[Fit], engines: Sequence[Engine], machine: Sequence[Device]
) -> Fit | None:
    """Return the largest checkpoint that can be launched here, with the least quantization.

    Those with the context that is asked for come before others, and vLLM before Transformers on a
    GPU. On a CPU, Transformers comes first, and checkpoints that are quantized or slow come last.
    """
    by_name = {engine.name: engine for engine in engines}
    on_cpu = machine[0].kind == "cpu"

    def rank(fit: Fit) -> tuple[Any, ...]:
        plain = fit.quantization == "none"
        quick = not on_cpu or (plain and fit.weights <= CPU_WEIGHTS)
        size = float(fit.size.replace("_", "."))
        whole = fit.context == fit.asked
        return quick, whole, size if quick else -size, fit.weights, (fit.engine == "vLLM") != on_cpu

    able = [f for f in found if f.devices and by_name[f.engine].serves(f.quantization)]
    return max(able, key=rank, default=None)


def refuse_pictures(use: Use) -> str | None:
    """Return a sentence if the context does not hold the pictures, on whatever machine, or None."""
    tokens = use.picture_tokens
    if tokens < use.context:
        return None
    return (
        f"{use.pictures} pictures of {use.tiles_per_picture} tiles are {tokens:,} tokens, which a "
        f"context of {use.context:,} does not hold; ask for --context {tokens + ANSWER} or more, "
        "or for fewer pictures"
    )
