"""Prepares a chat request for an engine: limits, media headers, prompt tokens, options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..media.fetch_and_open import open_media
from ..media.media_item import OpenMedia
from ..media.share_tiles import fit_tiles
from ..media.tile_and_frame_options import read_request_limits
from ..sampling_params import SamplingParams
from ..tokenizer.tokenizer import encode_segments
from .adapter_choice import choose_adapter
from .anthropic_usage import WITHOUT_CACHED_TOKENS
from .build_prompt import build_prompt, collect_media
from .build_sampling_params import read_sampling
from .context_length import count_room, count_tiles_left
from .continue_final_message import continues_final_message
from .expand_image_tokens import expand_image_tokens
from .image_labels import label_pictures
from .read_options import read_options
from .repetition_detection import read_repetition
from .request import ChatRequest
from .request_size import check_text
from .segment import Segment
from .served_checkpoint import ServedCheckpoint
from .stop_conditions import read_stop_ids
from .token_options import read_token_options


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
    check_text([segment.text for segment in prompt], served.context_length)
    # For their errors: wrong options are refused before anything is fetched.
    sampling = _read_sampling(options, served.context_length, served)
    read_repetition(options)
    choose_adapter(options.get("lora_name"), served.adapters)
    media = open_media(collect_media(prompt), limits, served.config, served.fetch)
    if any("fps" in item.media.options for item in media):
        counts = [item.frames for item in media if item.media.kind == "video"]
        prompt = build(counts)
    if limits.fit:
        text = expand_image_tokens(prompt, media, served.config, images=False)
        taken = len(encode_segments(served.tokenizer, text)) + sampling.max_tokens
        left = count_tiles_left(taken, served.context_length, served.config.tokens_per_tile)
        media = fit_tiles(media, left)
    request = build_request(
        expand_image_tokens(prompt, media, served.config), media, options, served
    )
    return replace(request, reports_cached_tokens=not config.get(WITHOUT_CACHED_TOKENS))


def build_request(
    segments: list[tuple[str, bool]],
    media: list[OpenMedia],
    options: Mapping[str, Any],
    served: ServedCheckpoint,
) -> ChatRequest:
    """Return the request for a prompt in segments (text, trusted), with its image tokens.

    Args:
        options: as `read_options` returns them.

    Raises:
        RequestError: the prompt is too long, or an option does not fit the model.
    """
    ids = encode_segments(served.tokenizer, segments)
    room = count_room(len(ids), served.context_length)
    return ChatRequest(
        ids=ids,
        media=media,
        text="".join(text for text, _ in segments),
        render=options.get("render", False),
        tile_counts=[item.tiles * item.frames for item in media],
        pictures=label_pictures(media) if options.get("boxes") else None,
        sampling=_read_sampling(options, room, served),
        stop_ids=read_stop_ids(options, served),
        include_stop=options.get("include_stop_str_in_output", False),
        repetition=read_repetition(options),
        skip_special_tokens=options.get("skip_special_tokens", True),
        stream=options.get("stream", False),
        include_usage=options.get("include_usage", False),
        continuous_usage=options.get("continuous_usage_stats", False),
        name=options.get("request_id"),
        cache_salt=options.get("cache_salt"),
        adapter=choose_adapter(options.get("lora_name"), served.adapters),
    )


def _read_sampling(
    options: Mapping[str, Any], room: int, served: ServedCheckpoint
) -> SamplingParams:
    sampling = read_sampling(options, room, served.max_tokens, served.stop)
    vocabulary = served.config.llm["vocab_size"]
    return replace(sampling, **read_token_options(options, served.tokenizer, vocabulary))


def _prompt_builder(
    messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any], served: ServedCheckpoint
) -> Callable[[int | Sequence[int]], list[Segment]]:
    """Return a function from the number of frames, of all or of each video, to the prompt."""
    return partial(
        build_prompt,
        messages,
        served.prompt_format,
        continue_last=continues_final_message(options, messages),
        image_labels=options.get("image_labels", served.prompt_format.image_labels),
    )
