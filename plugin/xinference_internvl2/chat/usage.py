"""Counts the tokens and tiles of a request and its answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .request import ChatRequest


@dataclass(slots=True)
class Usage:
    """The tokens of a request so far.

    Attributes:
        tiles: of each image and video in the order of the prompt, all frames together.
        cached_tokens: tokens of the prompt from the prefix cache; None leaves them out.
    """

    prompt_tokens: int
    completion_tokens: int = 0
    tiles: list[int] = field(default_factory=list)
    cached_tokens: int | None = 0

    @classmethod
    def of(cls, request: ChatRequest) -> Usage:
        """Return the usage before the first token of an answer."""
        cached = 0 if request.reports_cached_tokens else None
        return cls(len(request.ids), 0, request.tile_counts, cached)

    def add(self, tokens: int, cached_tokens: int) -> None:
        """Count new tokens of answers, and tokens of the prompt from the prefix cache."""
        self.completion_tokens += tokens
        if self.cached_tokens is not None:
            self.cached_tokens += cached_tokens

    def to_json(self) -> dict[str, Any]:
        """Return the usage in the form of OpenAI's protocol; `tiles` is an addition."""
        details = {
            **({} if self.cached_tokens is None else {"cached_tokens": self.cached_tokens}),
            **({"tiles": self.tiles} if self.tiles else {}),
        }
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            **({"prompt_tokens_details": details} if details else {}),
        }
