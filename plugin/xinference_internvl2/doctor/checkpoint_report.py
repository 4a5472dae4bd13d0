"""`doctor PATH`: says what the folder of a checkpoint holds, and all that is wrong with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..checkpoint.config import CheckpointConfig, find_problems, read_config
from ..checkpoint.rope import trained_length
from ..checkpoint.weight_files import is_pickled
from ..checkpoint.weight_format import AWQ, UNQUANTIZED, describe_weights
from ..errors import CheckpointError
from ..families.find_prompt_format import find_prompt_format
from ..families.memory_estimate import Use
from ..families.records import SpecRuntime, load_runtimes
from ..tokenizer.tokenizer import load_tokenizer
from . import installation
from .devices import Device
from .fit_table import format_fits
from .fits import Fit, choose_best, judge_fit
from .launch_command import build_launch_command, build_registration
from .memory_from_shapes import Shapes, count_parameters, estimate_memory

FORMATS = {UNQUANTIZED: "pytorch", AWQ: "awq"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the doctor finds in a folder.

    Attributes:
        about: properties of the checkpoint, in words.
        code, pickled: files that are never run, and never read.
        problems: a sentence for everything that is wrong.
        use: what the fits are for.
        command: the line that launches it here, if one can.
        registration: what `xinference register` takes for it.
    """

    path: str
    about: dict[str, str]
    code: list[str]
    pickled: list[str]
    problems: list[str]
    use: Use
    fits: list[Fit]
    command: str | None
    registration: dict[str, Any] | None

    @property
    def status(self) -> int:
        """The exit status: 0 where it can be launched here."""
        return 0 if self.command and not self.problems else 1


def examine(path: Path, machine: Sequence[Device], use: Use) -> Checkpoint:
    """Examine the folder `path`; a problem in one part does not hide those in others."""
    folder = Path(os.path.abspath(os.path.expanduser(path)))
    problems = find_problems(folder)
    if not os.path.isdir(folder):
        return Checkpoint(str(folder), {}, [], [], problems, use, [], None, None)
    config = None if problems else read_config(folder)
    if config:
        _collect(problems, lambda: find_prompt_format(config.template))
    rows = config.llm["vocab_size"] if config else None
    _collect(problems, lambda: load_tokenizer(folder, rows))
    shapes = _read_shapes(folder, config, problems)
    use = _adjust_use(config, use) if config else use
    found = _judge_fits(config, shapes, machine, use) if config and shapes and not problems else []
    engines = installation.check_engines(machine[0].kind == "gpu")
    choice = choose_best(found, engines, machine)
    files = sorted(file.relative_to(folder) for at in ("*", "*/*") for file in folder.glob(at))
    return Checkpoint(
        path=str(folder),
        about=_describe(config, shapes) if config else {},
        code=[str(file) for file in files if file.suffix == ".py"],
        pickled=[str(file) for file in files if is_pickled(file)],
        problems=problems,
        use=use,
        fits=found,
        command=build_launch_command(choice, folder) if choice else None,
        registration=build_registration(folder, choice) if choice else None,
    )


def _adjust_use(config: CheckpointConfig, use: Use) -> Use:
    """Return `use` with the tiles of the checkpoint, and a context of at most its own length."""
    return replace(
        use,
        context=trained_length(config.llm, use.context),
        tiles_per_picture=config.max_tiles + (config.use_thumbnail and config.max_tiles > 1),
        tokens_per_tile=config.tokens_per_tile,
    )


def _collect(problems: list[str], check: Callable[[], T]) -> T | None:
    """Return `check()`; if it raises a CheckpointError, note it in `problems` and return None."""
    try:
        return check()
    except CheckpointError as error:
        if str(error) not in problems:
            problems.append(str(error))
        return None


def _read_shapes(folder: Path, config: CheckpointConfig | None, problems: list[str]) -> Shapes:
    """Return the shapes of all weights; none if a file or a weight has a problem."""
    from ..checkpoint.weight_files import list_weight_files, open_file

    before = len(problems)
    for file in _collect(problems, lambda: list_weight_files(folder)) or []:
        _collect(problems, lambda file=file: open_file(file))  # type: ignore[misc]
    if config is None or len(problems) > before:
        return {}
    return _collect(problems, lambda: _check_shapes(config)) or {}


def _check_shapes(config: CheckpointConfig) -> Shapes:
    from ..transformers.model.check_weights import open_checked_weights

    found = describe_weights(config)
    if found not in FORMATS:
        raise CheckpointError(
            f"{config.path} holds {found}; use a checkpoint with {UNQUANTIZED} or {AWQ}"
        )
    _, _, tensors = open_checked_weights(config)
    return {name: tuple(tensor.get_shape()) for name, tensor in tensors.items()}


def _describe(config: CheckpointConfig, shapes: Shapes) -> dict[str, str]:
    vision, backbone = config.vision, config.backbone.architecture
    families = [n for n, f in load_runtimes().items() if config.template in f.prompt_formats]
    about = {
        "Family": ", ".join(families),
        "Language model": f"{backbone}, {config.llm['num_hidden_layers']} layers",
        "Vision tower": f"{vision['num_hidden_layers']} layers of width {vision['hidden_size']}",
        "Prompt format": config.template,
        "Weights": f"{describe_weights(config)}, {config.dtype}",
        "LoRA": ", ".join(f"{part} of rank {n}" for part, n in config.lora_ranks.items() if n)
        or "none",
    }
    if shapes and config.quantization is None:
        about["Parameters"] = _in_words(count_parameters(shapes))
    return about


def _in_words(count: int) -> str:
    return f"{count / 1e9:.2f} billion" if count >= 1e7 else f"{count / 1e6:.2f} million"


def _judge_fits(
    config: CheckpointConfig, shapes: Shapes, machine: Sequence[Device], use: Use
) -> list[Fit]:
    memory = estimate_memory(config, shapes)
    family, spec = _find_nearest(config, next(iter(memory.weights.values())), memory.weights)
    return [
        judge_fit(machine, use, family, spec, memory, engine, quantization)
        for quantization in memory.weights
        for engine, served in spec.engines.items()
        if quantization in served
    ]


def _find_nearest(
    config: CheckpointConfig, weights: int, quantizations: Mapping[str, int]
) -> tuple[str, SpecRuntime]:
    """Return family and spec of the published checkpoint that is nearest in size.

    A checkpoint is launched by the size of that spec, in a family that has its prompt format.
    """
    model_format = FORMATS[describe_weights(config)]
    found = [
        (name, spec)
        for name, family in load_runtimes().items()
        if config.template in family.prompt_formats
        for spec in family.model_specs
        if spec.model_format == model_format and spec.memory
    ]
    quantization = next(iter(quantizations))

    def distance(row: tuple[str, SpecRuntime]) -> int:
        memory = row[1].memory
        return abs(memory.weights[quantization] - weights) if memory else weights

    return min(found, key=distance)


def as_json(found: Checkpoint) -> str:
    """Return the findings for a script."""
    data = asdict(found)
    for row, fit in zip(data["fits"], found.fits, strict=True):
        row["verdict"] = fit.verdict
    return json.dumps(data, indent=2, ensure_ascii=False)


def as_text(found: Checkpoint) -> Iterator[str]:
    """Yield the lines of the findings for a reader."""
    yield found.path
    yield from _format_names(found.about)
    if found.code:
        yield f"  Code, which is never run: {', '.join(found.code)}"
    if found.pickled:
        yield f"  Pickled weights, which are never read: {', '.join(found.pickled)}"
    yield from (f"✗ {problem}" for problem in found.problems)
    if found.fits:
        yield ""
        yield from format_fits(found.fits, found.use)
    if found.command and not found.problems:
        yield ""
        yield f"  {found.command}"
        yield ""
        yield "As a model of its own name, with xinference register --model-type LLM --file FILE:"
        yield json.dumps(found.registration, indent=2, ensure_ascii=False)


def _format_names(about: Mapping[str, str]) -> Iterator[str]:
    yield from (f"  {name}: {value}" for name, value in about.items())
