"""A launched model, as far as requests depend on it, and a request that an engine can run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.rope import usable_length
from ..engine import SamplingParams
from ..families.records import PromptFormat
from ..media.budget import Budget
from ..media.limits import MediaLimits
from ..media.source import Fetch, OpenMedia
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .boxes import Picture
from .option_table import DEFAULT_MAX_TOKENS
from .preparing import Preparing


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """The launched model, as far as preparing a request depends on it.

    Attributes:
        context_length: the most tokens that prompt and answer may have together.
        fetch: downloads media where the host allows it.
        engine: the engine that answers, by the name that the table of options has for it.
        max_tokens: the length of an answer whose request does not give one.
        budget: what all requests together may hold before they are answered.
        preparing: the requests that the engine does not have yet.
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
    preparing: Preparing = field(default_factory=Preparing)
    stop: tuple[str, ...] = ()
    adapters: frozenset[str] = frozenset()

    @property
    def stop_ids(self) -> list[int]:
        """The tokens that end an answer: those of the prompt format, not the repository's EOS."""
        return [self.tokenizer.convert_tokens_to_ids(stop) for stop in self.prompt_format.stop]


def trained_length(checkpoint: CheckpointConfig, context_length: int) -> int:
    """Return the family's context length, or the language model's own where that is smaller and
    its positions cannot be scaled."""
    llm = checkpoint.llm
    usable = usable_length(llm["rope_parameters"], llm["max_position_embeddings"])
    return int(min(context_length, usable))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that an engine can run.

    Attributes:
        text: the whole prompt, with an image token for every feature of the media.
        ids: the same as token ids, with what the tokenizer puts before a text.
        media: the media that are yet to be decoded.
        tile_counts: of each image and video, all frames together.
        tells_cached_tokens: the usage says how much of the prompt was in a cache.
        tiles: those of every image and frame that is decoded, (tiles, 3, tile_size, tile_size).
        stop_ids: the tokens that end an answer, and are no part of it.
        render: the prompt is the answer; nothing is generated.
        pictures: what the boxes of an answer may lie in; None if they are not asked for.
        include_stop: the text keeps what ended it, other than the prompt format's tokens.
        repetition: size and threshold of a `RepetitionBreaker`.
        name: by which the client may abort it.
        adapter: the LoRA adapter that answers, or None for the model as it is.
    """

    ids: list[int]
    media: list[OpenMedia]
    sampling: SamplingParams
    stop_ids: list[int]
    text: str = ""
    render: bool = False
    pictures: list[Picture] | None = None
    skip_special_tokens: bool = True
    include_stop: bool = False
    repetition: tuple[int, int] | None = None
    name: str | None = None
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False
    cache_salt: str | None = None
    adapter: str | None = None
    tile_counts: list[int] = field(default_factory=list)
    tells_cached_tokens: bool = True
    tiles: list[NDArray[np.uint8]] = field(default_factory=list)
