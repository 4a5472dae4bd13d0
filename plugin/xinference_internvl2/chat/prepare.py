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

_OF_A_CHAT = (
    *("boxes", "render", "image_labels", "continue_final_message", "add_generation_prompt"),
    "mm_processor_kwargs",
)

# Threads of their own: slow image servers and decoders hold up nobody who does not need them.
_fetching = ThreadPoolExecutor(16, thread_name_prefix="fetching")
_preparing = ThreadPoolExecutor(8, thread_name_prefix="preparing")
# They only wait for the processes that decode, which take turns between requests.
_opening = ThreadPoolExecutor(64, thread_name_prefix="opening")
_decoding = ThreadPoolExecutor(64, thread_name_prefix="decoding")


async def prepare_on_thread(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    served: ServedCheckpoint,
    size: MediaSize,
) -> ChatRequest:
    """Run `prepare` on a thread, so that neither the event loop waits nor who has less to read.

    Args:
        size: of the media of `messages`.
    """
    threads = _fetching if size.remote else _opening if size.inline else _preparing
    work = partial(prepare, messages, config, served)
    return await asyncio.get_running_loop().run_in_executor(threads, work)


async def decode_on_thread(request: ChatRequest) -> list[NDArray[np.uint8]]:
    """Decode the media of `request`, one after the other, while other requests go on."""

    def cut() -> list[NDArray[np.uint8]]:
        return [tiles for item in request.media for tiles in item.cut()]

    return await asyncio.get_running_loop().run_in_executor(_decoding, cut)


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
    options = read_options(config, served.engine)
    limits = read_request_limits(options, served.limits)
    build = _prompt_builder(messages, options, served)
    prompt = build(limits.frames)
    check_characters(sum(len(segment.text) for segment in prompt), served.context_length)
    # Wrong options are refused before anything is fetched.
    sampling = _read_sampling(options, served.context_length, served)
    media = open_media(collect_media(prompt), limits, served.config, served.fetch)
    if any("fps" in item.media.options for item in media):
        counts = [item.frames for item in media if item.media.kind == "video"]
        prompt = build(counts)
    if limits.fit:
        text = _fill_in(prompt, media, served.config, images=False)
        taken = len(encode_segments(served.tokenizer, text)) + sampling.max_tokens
        room = served.context_length - taken
        media = fit_tiles(media, room // served.config.tokens_per_tile)
    request = _build_request(_fill_in(prompt, media, served.config), media, options, served)
    return replace(request, tells_cached_tokens=not config.get(WITHOUT_CACHED_TOKENS))


def prepare_text(text: str, config: Mapping[str, Any], served: ServedCheckpoint) -> ChatRequest:
    """Encode a raw text, whose control tokens are read as such; otherwise as `prepare`."""
    options = read_options(config, served.engine)
    for name in _OF_A_CHAT:
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
        pictures=_pictures(media) if options.get("boxes") else None,
        sampling=_read_sampling(options, room, served),
        stop_ids=[*stop_ids, *options.get("stop_token_ids", ())],
        include_stop=options.get("include_stop_str_in_output", False),
        repetition=_repetition(options),
        skip_special_tokens=options.get("skip_special_tokens", True),
        stream=options.get("stream", False),
        include_usage=options.get("include_usage", False),
        continuous_usage=options.get("continuous_usage_stats", False),
        name=options.get("request_id"),
        cache_salt=options.get("cache_salt"),
        adapter=_adapter(options.get("lora_name"), served.adapters),
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


def _repetition(options: Mapping[str, Any]) -> tuple[int, int] | None:
    size, threshold = (options.get(f"repetition_ngram_{name}") for name in ("size", "threshold"))
    if (size is None) != (threshold is None):
        raise RequestError(
            "repetition_ngram_size and repetition_ngram_threshold belong together; give both"
        )
    return None if size is None or threshold is None else (size, threshold)


def _adapter(name: str | None, adapters: frozenset[str]) -> str | None:
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
    """Return `build_prompt` for a request, which only lacks the number of frames."""
    return partial(
        build_prompt,
        messages,
        served.prompt_format,
        continue_last=continue_last(options, messages),
        image_labels=options.get("image_labels", served.prompt_format.image_labels),
    )


def _fill_in(
    prompt: Sequence[Segment],
    media: Sequence[OpenMedia],
    config: CheckpointConfig,
    images: bool = True,
) -> list[tuple[str, bool]]:
    """Return the prompt's texts, each with whether it is trusted, with the image tokens in them,
    or without `images` only what stands around these."""
    per_tile = config.tokens_per_tile if images else 0
    counts = iter(item.tiles * per_tile for item in media for _ in range(item.frames))
    return [
        (image_tokens(next(counts)), True) if segment.media else (segment.text, segment.trusted)
        for segment in prompt
    ]


def _pictures(media: Sequence[OpenMedia]) -> list[Picture]:
    """Return the images and frames, labelled as in a prompt with labels."""
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
