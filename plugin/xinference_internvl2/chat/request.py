"""A chat request that an engine can run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..media.media_item import OpenMedia
from ..sampling_params import SamplingParams
from .boxes import Picture


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that an engine can run.

    Attributes:
        ids: the prompt as token ids, with an image token for every feature of the media.
        media: those that are not decoded yet.
        stop_ids: tokens that end an answer, and are no part of it.
        text: the prompt, without the token that the tokenizer puts before a text.
        render: whether the prompt itself is returned, and nothing generated.
        pictures: those that the boxes of an answer may refer to; None if none are asked for.
        include_stop: whether the text keeps a stop string or stop token of the request.
        repetition: `size` and `threshold` of a `RepetitionDetector`.
        name: by which the client may abort it.
        cache_salt: only requests of the same salt share a prefix cache.
        adapter: the LoRA adapter that answers; None for the model without one.
        tile_counts: tiles of each image and video, all frames together.
        reports_cached_tokens: whether the usage counts the cached tokens of the prompt.
        tiles: of every decoded image and frame, (tiles, 3, tile_size, tile_size).
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
    reports_cached_tokens: bool = True
    tiles: list[NDArray[np.uint8]] = field(default_factory=list)
