"""A launched model, as far as requests depend on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..checkpoint.config import CheckpointConfig
from ..families.records import PromptFormat
from ..media.fetch_and_open import Fetch
from ..media.limits import MediaLimits
from ..media.memory_budget import Budget
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .pending_requests import PendingRequests


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """What a request needs to know of the launched model.

    Attributes:
        context_length: the most tokens that prompt and answer may have together.
        fetch: downloads media, within the rules of the host.
        max_tokens: the length of an answer whose request does not give one, as the server was
            started with.
        budget: the memory that all requests together may hold before they are answered.
        pending: the requests that the engine does not have yet.
        stop: strings that end every answer, beside those of its request.
        adapters: the names of the LoRA adapters that a request may choose.
    """

    config: CheckpointConfig
    tokenizer: InternVL2Tokenizer
    prompt_format: PromptFormat
    context_length: int
    limits: MediaLimits
    fetch: Fetch
    max_tokens: int | None = None
    budget: Budget = field(default_factory=Budget)
    pending: PendingRequests = field(default_factory=PendingRequests)
    stop: tuple[str, ...] = ()
    adapters: frozenset[str] = frozenset()
