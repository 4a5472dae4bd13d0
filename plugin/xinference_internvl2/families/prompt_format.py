"""The prompt format of a model family: roles, system text, ends of turns, and stop tokens.

The texts themselves are `prompt_formats` in `family_specs/`, from which the generator writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PromptFormat:
    """How the turns of a conversation become one string."""

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
