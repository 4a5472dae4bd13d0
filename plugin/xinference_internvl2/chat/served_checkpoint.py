"""A launched model, as far as requests depend on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..checkpoint.config import CheckpointConfig
from ..families.records import PromptFormat
from ..media.budget import Budget
from ..media.limits import MediaLimits
from ..media.source import Fetch
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .option_table import DEFAULT_MAX_TOKENS
from .pending_requests import PendingRequests


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """The launched model, as far as preparing a request depends on it.

    Attributes:
        context_length: the most tokens that prompt and answer may have together.
        fetch: downloads media where the host allows it.
        engine: the engine that answers, by the name that the table of options has for it.
        max_tokens: the length of an answer whose request does not give one.
        budget: what all requests together may hold before they are answered.
        pending: the requests that the engine does not have yet.
        stop: strings that end every answer, beside those of its request.
    """

    config: CheckpointConfig
    tokenizer: InternVL2Tokenizer
    prompt_format: PromptFormat
    context_length: int
    limits: MediaLimits
    fetch: Fetch
    engine: str
    max_tokens: int = DEFAULT_MAX_TOKENS
    budget: Budget = field(default_factory=Budget)
    pending: PendingRequests = field(default_factory=PendingRequests)
    stop: tuple[str, ...] = ()
    adapters: frozenset[str] = frozenset()

    @property
    def stop_ids(self) -> list[int]:
        """The tokens that end an answer: those of the prompt format, not the repository's EOS."""
        return [self.tokenizer.convert_tokens_to_ids(stop) for stop in self.prompt_format.stop]
