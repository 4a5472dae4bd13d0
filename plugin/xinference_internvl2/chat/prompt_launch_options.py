"""Reads the options of a launch that change the prompts of a model, as fine-tuning may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import CheckpointError
from ..families.records import PromptFormat
from ..launch_option_values import read_flag
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .stop_conditions import read_launch_stop

PROMPT_OPTIONS = ("system", "stop", "image_labels")
"""The options of a launch that `read_launch_prompt` reads."""


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

    Raises:
        CheckpointError: an option of the wrong type.
    """
    system = options.get("system")
    if system is not None and not isinstance(system, str):
        raise CheckpointError(f"system {system!r:.80} is not a text")
    tokens, strings = read_launch_stop(options.get("stop"), tokenizer)
    return LaunchPrompt(
        replace(
            prompt_format,
            system_text=prompt_format.system_text if system is None else system,
            stop=(*prompt_format.stop, *tokens),
            image_labels=read_flag(options, "image_labels", prompt_format.image_labels),
        ),
        strings,
    )
