"""Reads the options of a launch that change the prompts of a model, as fine-tuning may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import CheckpointError
from ..families.prompt_format import PromptFormat
from ..launch_option_values import read_flag
from ..tokenizer.tokenizer import InternVL2Tokenizer

PROMPT_OPTIONS = ("system", "stop", "image_labels")
"""The options of a launch that `read_launch_prompt` reads."""
MAX_STOPS = 16


@dataclass(frozen=True, slots=True)
class LaunchPrompt:
    """How the prompts of a launched model are built, and what ends its answers.

    Attributes:
        format: the checkpoint's prompt format with the options of the launch.
        stop: strings that end an answer, beside the format's stop tokens.
    """

    format: PromptFormat
    stop: tuple[str, ...] = ()


def read_launch_prompt(
    options: Mapping[str, Any], prompt_format: PromptFormat, tokenizer: InternVL2Tokenizer
) -> LaunchPrompt:
    """Return the checkpoint's prompt format, changed by the options of a launch.

    Texts of its `stop` that are tokens of the tokenizer end an answer as such, others as strings.

    Raises:
        CheckpointError: an option of the wrong type.
    """
    system = options.get("system")
    if system is not None and not isinstance(system, str):
        raise CheckpointError(f"system {system!r:.80} is not a text")
    stops = _read_stops(options.get("stop"))
    controls = tokenizer.get_added_vocab()
    tokens = [stop for stop in stops if stop in controls]
    return LaunchPrompt(
        replace(
            prompt_format,
            system_text=prompt_format.system_text if system is None else system,
            stop=(*prompt_format.stop, *tokens),
            image_labels=read_flag(options, "image_labels", prompt_format.image_labels),
        ),
        tuple(stop for stop in stops if stop not in controls),
    )


def _read_stops(value: Any) -> list[str]:
    """Return the texts of `stop`: a string, or a list, which a command line gives as JSON."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = [None]
    stops = [value] if isinstance(value, str) else value or []
    valid = isinstance(stops, list) and all(isinstance(stop, str) and stop for stop in stops)
    if not valid or len(stops) > MAX_STOPS:
        raise CheckpointError(
            f"stop {value!r:.80} is not a string or a JSON list of at most {MAX_STOPS} strings"
        )
    return list(stops)
