"""Prepares a chat request for an engine: limits, media headers, prompt tokens, options."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoint.config import CheckpointConfig
from ..errors import RequestError
from ..media.fit import fit_tiles
from ..media.options import read_request_limits
from ..media.source import OpenMedia, open_media
from ..sampling_params import SamplingParams
from ..tokenizer.image_tokens import REQUIRED, image_tokens
from ..tokenizer.tokenizer import encode_segments
from .anthropic_request import WITHOUT_CACHED_TOKENS
from .boxes import Picture
from .context_length import check_characters, count_room
from .media_size import MediaSize
from .options import continue_last, read_options
from .prompt import Segment, build_prompt, collect_media, frame_labels
from .request import ChatRequest
from .sampling_options import read_sampling
from .served_checkpoint import ServedCheckpoint
from .token_options import read_token_options

_CHAT_ONLY = (
    *("boxes", "render", "image_labels", "continue_final_message", "add_generation_prompt"),
    "mm_processor_kwargs",
)

# Each kind of work has its own threads, so that slow image servers and decoders hold up no others.
_FETCH_THREADS = ThreadPoolExecutor(16, thread_name_prefix="fetching")
_PREPARE_THREADS = ThreadPoolExecutor(8, thread_name_prefix="preparing")
# These threads only wait for the processes that decode.
_OPEN_THREADS = ThreadPoolExecutor(64, thread_name_prefix="opening")
_DECODE_THREADS = ThreadPoolExecutor(64, thread_name_prefix="decoding")


async def prepare_on_thread(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    served: ServedCheckpoint,
    size: MediaSize,
) -> ChatRequest:
    """Run `prepare` on a thread, so that the event loop does not wait.

    Args:
        size: of the media of `messages`: those without media do not wait for those with some.
    """
    threads = _FETCH_THREADS if size.remote else _OPEN_THREADS if size.inline else _PREPARE_THREADS
    work = partial(prepare, messages, config, served)
    return await asyncio.get_running_loop().run_in_executor(threads, work)


async def decode_on_thread(request: ChatRequest) -> list[NDArray[np.uint8]]:
    """Decode the media of `request` on a thread, one after the other.

    Returns:
        The tiles of each image and frame, (tiles, 3, tile_size, tile_size).
    """

    def cut() -> list[NDArray[np.uint8]]:
        return [tiles for item in request.media for tiles in item.cut()]

    return await asyncio.get_running_loop().run_in_executor(_DECODE_THREADS, cut)


def prepare(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any], served: ServedCheckpoint
) -> ChatRequest:
    """Read the options, fetch the media, and encode the prompt.

    Only the headers of the media are read: a prompt that is too long is refused before decoding.

    Args:
        messages: of an OpenAI chat request.
        config: its other fields, as the host hands them over.

    Raises:
        RequestError: the request cannot be answered; the message names the part at fault.
    """
    options = read_options(config)
    limits = read_request_limits(options, served.limits)
    build = _prompt_builder(messages, options, served)
    prompt = build(limits.frames)
    check_characters(sum(len(segment.text) for segment in prompt), served.context_length)
    # For its errors: wrong options are refused before anything is fetched.
    sampling = _read_sampling(options, served.context_length, served)
    media = open_media(collect_media(prompt), limits, served.config, served.fetch)
    if any("fps" in item.media.options for item in media):
        counts = [item.frames for item in media if item.media.kind == "video"]
        prompt = build(counts)
    if limits.fit:
        text = _insert_image_tokens(prompt, media, served.config, images=False)
        taken = len(encode_segments(served.tokenizer, text)) + sampling.max_tokens
        room = served.context_length - taken
        media = fit_tiles(media, room // served.config.tokens_per_tile)
    request = _build_request(
        _insert_image_tokens(prompt, media, served.config), media, options, served
    )
    return replace(request, reports_cached_tokens=not config.get(WITHOUT_CACHED_TOKENS))


def prepare_text(text: str, config: Mapping[str, Any], served: ServedCheckpoint) -> ChatRequest:
    """Return the request that continues a raw `text`, in which control tokens are recognized."""
    options = read_options(config)
    for name in _CHAT_ONLY:
        if name in options:
            raise RequestError(f"{name} is an option of a chat; use /v1/chat/completions")
    check_characters(len(text), served.context_length)
    request = _build_request([(text, True)], [], options, served)
    if not set(served.tokenizer.convert_tokens_to_ids(list(REQUIRED))).isdisjoint(request.ids):
        raise RequestError("prompt: a completion has no pictures; use /v1/chat/completions")
    return request


def _build_request(
    segments: list[tuple[str, bool]],
    media: list[OpenMedia],
    options: Mapping[str, Any],
    served: ServedCheckpoint,
) -> ChatRequest:
    ids = encode_segments(served.tokenizer, segments)
    room = count_room(len(ids), served.context_length)
    stop_ids = [] if options.get("ignore_eos") else served.stop_ids
    return ChatRequest(
        ids=ids,
        media=media,
        text="".join(text for text, _ in segments),
        render=options.get("render", False),
        tile_counts=[item.tiles * item.frames for item in media],
        pictures=_label_pictures(media) if options.get("boxes") else None,
        sampling=_read_sampling(options, room, served),
        stop_ids=[*stop_ids, *options.get("stop_token_ids", ())],
        include_stop=options.get("include_stop_str_in_output", False),
        repetition=_read_repetition(options),
        skip_special_tokens=options.get("skip_special_tokens", True),
        stream=options.get("stream", False),
        include_usage=options.get("include_usage", False),
        continuous_usage=options.get("continuous_usage_stats", False),
        name=options.get("request_id"),
        cache_salt=options.get("cache_salt"),
        adapter=_read_adapter(options.get("lora_name"), served.adapters),
    )


def _read_sampling(
    options: Mapping[str, Any], room: int, served: ServedCheckpoint
) -> SamplingParams:
    vocabulary = served.config.llm["vocab_size"]
    sampling = read_sampling(options, room, served.max_tokens)
    return replace(
        sampling,
        stop=(*sampling.stop, *served.stop),
        **read_token_options(options, served.tokenizer, vocabulary),
    )


def _read_repetition(options: Mapping[str, Any]) -> tuple[int, int] | None:
    size, threshold = (options.get(f"repetition_ngram_{name}") for name in ("size", "threshold"))
    if (size is None) != (threshold is None):
        raise RequestError(
            "repetition_ngram_size and repetition_ngram_threshold belong together; give both"
        )
    return None if size is None or threshold is None else (size, threshold)


def _read_adapter(name: str | None, adapters: frozenset[str]) -> str | None:
    if not name or name in adapters:
        return name or None
    known = ", ".join(sorted(adapters)) or "none"
    raise RequestError(
        f"lora_name {name[:100]} is not an adapter of this model, which was launched with {known}; "
        "name one of those, or none"
    )


def _prompt_builder(
    messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any], served: ServedCheckpoint
) -> Callable[[int | Sequence[int]], list[Segment]]:
    """Return a function from the number of frames, of all or of each video, to the prompt."""
    return partial(
        build_prompt,
        messages,
        served.prompt_format,
        continue_last=continue_last(options, messages),
        image_labels=options.get("image_labels", served.prompt_format.image_labels),
    )


def _insert_image_tokens(
    prompt: Sequence[Segment],
    media: Sequence[OpenMedia],
    config: CheckpointConfig,
    images: bool = True,
) -> list[tuple[str, bool]]:
    """Return the prompt as segments (text, trusted), with its image tokens unless not `images`."""
    per_tile = config.tokens_per_tile if images else 0
    counts = iter(item.tiles * per_tile for item in media for _ in range(item.frames))
    return [
        (image_tokens(next(counts)), True) if segment.media else (segment.text, segment.trusted)
        for segment in prompt
    ]


def _label_pictures(media: Sequence[OpenMedia]) -> list[Picture]:
    """Return the images and frames with the labels that they have in a prompt."""
    pictures: list[Picture] = []
    images = count(1)
    for item in media:
        if item.media.kind == "video":
            labels = frame_labels(item.frames)
        else:
            frame = item.media.number
            labels = [f"Frame{frame}" if frame else f"Image-{next(images)}"]
        pictures += [Picture(label, item.file.width, item.file.height) for label in labels]
    return pictures
