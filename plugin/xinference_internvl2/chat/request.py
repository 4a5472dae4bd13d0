"""Prepares a chat request for an engine: limits, media headers, prompt tokens, options."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.rope import usable_length
from ..engine import SamplingParams
from ..errors import RequestError
from ..families.records import PromptFormat
from ..media.limits import MediaLimits, request_limits
from ..media.source import Fetch, OpenMedia, open_media
from ..tokenizer.control_tokens import image_tokens
from ..tokenizer.tokenizer import InternVL2Tokenizer, encode_segments
from .options import DEFAULT_MAX_TOKENS, read_options, read_sampling
from .prompt import Segment, build_prompt, collect_media

MAX_CHARACTERS_PER_TOKEN = 32
Decoded = TypeVar("Decoded")

# Threads of their own: on those of the event loop, slow image servers would hold up every request.
_fetching = ThreadPoolExecutor(8, thread_name_prefix="fetching")
# They only wait for the processes that decode, which take turns between requests.
_decoding = ThreadPoolExecutor(64, thread_name_prefix="decoding")


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """The launched model, as far as preparing a request depends on it.

    Attributes:
        context_length: the most tokens that prompt and answer may have together.
        fetch: downloads media where the host allows it.
        max_tokens: the length of an answer whose request does not give one.
        constrained: whether the engine can hold an answer to a grammar.
    """

    config: CheckpointConfig
    tokenizer: InternVL2Tokenizer
    prompt_format: PromptFormat
    context_length: int
    limits: MediaLimits
    fetch: Fetch
    max_tokens: int = DEFAULT_MAX_TOKENS
    constrained: bool = False

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
        ids: the whole prompt, with an image token for every feature of the media.
    """

    ids: list[int]
    media: list[OpenMedia]
    sampling: SamplingParams
    stream: bool
    include_usage: bool
    cache_salt: str | None

    def cut(self) -> list[NDArray[np.uint8]]:
        """Decode the media, one after the other, and return the tiles of every image and frame:
        (tiles, 3, tile_size, tile_size)."""
        return [tiles for item in self.media for tiles in item.cut()]


async def prepare_on_thread(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any], served: ServedCheckpoint
) -> ChatRequest:
    """Run `prepare` on a thread, so that neither the event loop nor requests without media wait."""
    work = partial(prepare, messages, config, served)
    if any(
        isinstance(message, Mapping) and isinstance(message.get("content"), list)
        for message in messages
    ):
        return await asyncio.get_running_loop().run_in_executor(_fetching, work)
    return await asyncio.to_thread(work)


async def decode_on_thread(
    decode: Callable[[ChatRequest], Decoded], request: ChatRequest
) -> Decoded:
    """Run `decode` for the media of `request` on a thread, while other requests go on."""
    return await asyncio.get_running_loop().run_in_executor(_decoding, decode, request)


def prepare(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any], served: ServedCheckpoint
) -> ChatRequest:
    """Fetch the media, encode the prompt, and read the options.

    Only the headers of the media are read, so that what does not fit is refused undecoded.

    Args:
        messages: of an OpenAI chat request.
        config: its other fields, as the host hands them over.

    Raises:
        RequestError: the request cannot be answered; the message names the part at fault.
    """
    options = read_options(config)
    limits = request_limits(options, served.limits)
    prompt = build_prompt(messages, served.prompt_format, limits.frames)
    _check_length(sum(len(segment.text) for segment in prompt), served.context_length)
    sampling = partial(
        read_sampling, options, constrained=served.constrained, max_tokens=served.max_tokens
    )
    # Wrong options are refused before anything is fetched.
    sampling(served.context_length)
    media = open_media(collect_media(prompt), limits, served.config, served.fetch)
    ids = _encode(prompt, media, served)
    return ChatRequest(
        ids=ids,
        media=media,
        sampling=sampling(_room(len(ids), served.context_length)),
        stream=bool(options.get("stream")),
        include_usage=_include_usage(options.get("stream_options")),
        cache_salt=options.get("cache_salt"),
    )


def _encode(
    prompt: Sequence[Segment], media: Sequence[OpenMedia], served: ServedCheckpoint
) -> list[int]:
    """Return the token ids of the prompt, with the image tokens of every image and frame."""
    counts = iter(
        item.tiles * served.config.tokens_per_tile for item in media for _ in range(item.frames)
    )
    segments = [
        (image_tokens(next(counts)), True) if segment.media else (segment.text, segment.trusted)
        for segment in prompt
    ]
    return encode_segments(served.tokenizer, segments)


def _check_length(characters: int, context_length: int) -> None:
    if characters > MAX_CHARACTERS_PER_TOKEN * context_length:
        raise RequestError(
            f"the prompt has {characters} characters, far more than the context length of "
            f"{context_length} tokens can hold; send less text"
        )


def _room(prompt_tokens: int, context_length: int) -> int:
    """Return how many tokens the answer may have at most."""
    if prompt_tokens >= context_length:
        raise RequestError(
            f"the prompt has {prompt_tokens} tokens, but the context length is "
            f"{context_length}; send less text or fewer images"
        )
    return context_length - prompt_tokens


def _include_usage(stream_options: Any) -> bool:
    if stream_options is None:
        return False
    if not isinstance(stream_options, Mapping):
        raise RequestError('stream_options has to be an object such as {"include_usage": true}')
    return bool(stream_options.get("include_usage"))
