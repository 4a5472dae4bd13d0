"""A chat request made ready for an engine: what both loaders do in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ..checkpoint.config import CheckpointConfig
from ..engine import SamplingParams
from ..errors import RequestError
from ..families.records import PromptFormat
from ..media.limits import MediaLimits, request_limits
from ..media.source import Fetch, OpenMedia, open_media
from ..tokenizer.control_tokens import image_tokens
from ..tokenizer.tokenizer import InternVL2Tokenizer, encode_segments
from .options import DEFAULT_MAX_TOKENS, options_of, read_sampling
from .prompt import media_of, pieces

MAX_CHARACTERS_PER_TOKEN = 32
Decoded = TypeVar("Decoded")

# Not the event loop's own threads: slow image servers would take them from every other request.
_fetching = ThreadPoolExecutor(8, thread_name_prefix="fetching")
# A bound for memory: each may hold as many pixels as a request can have.
_decoding = ThreadPoolExecutor(2, thread_name_prefix="decoding")


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """What a request is prepared for. `context_length` is the most tokens that prompt and answer
    may have together, `max_tokens` the length of an answer whose request does not say one;
    `constrained` says whether the engine can hold an answer to a grammar."""

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
        """The tokens that end an answer; only the prompt format's do, not what the repository
        calls its end of a text."""
        return [self.tokenizer.convert_tokens_to_ids(stop) for stop in self.prompt_format.stop]


def trained_length(checkpoint: CheckpointConfig, context_length: int) -> int:
    """The family's context length, or less where the language model was trained on less."""
    if checkpoint.llm["rope_parameters"]["rope_type"] in ("dynamic", "longrope"):
        return context_length
    return min(context_length, int(checkpoint.llm["max_position_embeddings"]))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`ids` is the whole prompt, with an image token for every feature of the media; `max_tiles`
    is the largest grid that one of its images may have."""

    ids: list[int]
    media: list[OpenMedia]
    max_tiles: int
    sampling: SamplingParams
    stream: bool
    include_usage: bool
    cache_salt: str | None


async def prepared(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any], served: ServedCheckpoint
) -> ChatRequest:
    """`prepare` on a thread, so that neither the event loop nor requests without media wait."""
    work = partial(prepare, messages, config, served)
    if any(
        isinstance(message, Mapping) and isinstance(message.get("content"), list)
        for message in messages
    ):
        return await asyncio.get_running_loop().run_in_executor(_fetching, work)
    return await asyncio.to_thread(work)


async def decoded(decode: Callable[[ChatRequest], Decoded], request: ChatRequest) -> Decoded:
    """What `decode` makes of the media of `request`, while other requests go on."""
    return await asyncio.get_running_loop().run_in_executor(_decoding, decode, request)


def prepare(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any], served: ServedCheckpoint
) -> ChatRequest:
    """Fetch the media, encode the prompt, and read the options.

    Of the media only the headers are read: what does not fit is refused before any decoding.

    Args:
        messages: of an OpenAI chat request.
        config: its other fields, as the host hands them over.

    Raises:
        RequestError: the request cannot be answered; the message names the part at fault.
    """
    options = options_of(config)
    limits = request_limits(options, served.limits)
    run = pieces(messages, served.prompt_format, limits.frames)
    _check_length(sum(len(piece.text) for piece in run), served.context_length)
    sampling = partial(
        read_sampling, options, constrained=served.constrained, max_tokens=served.max_tokens
    )
    # Options that are wrong cost no fetch.
    sampling(served.context_length)
    media = open_media(media_of(run), limits, served.config, served.fetch)
    tokens = iter(
        item.tiles * served.config.tokens_per_tile for item in media for _ in range(item.frames)
    )
    segments = [
        (image_tokens(next(tokens)), True) if piece.media else (piece.text, piece.trusted)
        for piece in run
    ]
    ids = encode_segments(served.tokenizer, segments)
    room = _room(len(ids), served.context_length)
    return ChatRequest(
        ids=ids,
        media=media,
        max_tiles=limits.max_tiles,
        sampling=sampling(room),
        stream=bool(options.get("stream")),
        include_usage=_include_usage(options.get("stream_options")),
        cache_salt=options.get("cache_salt"),
    )


def _check_length(characters: int, context_length: int) -> None:
    if characters > MAX_CHARACTERS_PER_TOKEN * context_length:
        raise RequestError(
            f"the prompt has {characters} characters, far more than the context length of "
            f"{context_length} tokens can hold; send less text"
        )


def _room(prompt_tokens: int, context_length: int) -> int:
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
