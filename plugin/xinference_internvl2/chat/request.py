"""A chat request that an engine can run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..media.source import OpenMedia
from ..sampling_params import SamplingParams
from .boxes import Picture


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
