"""The prompt format of a model family: roles, system text, ends of turns, and stop tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
