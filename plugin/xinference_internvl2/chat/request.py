"""Prepares a chat request for an engine: limits, media headers, prompt tokens, options."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.rope import usable_length
from ..engine import SamplingParams
from ..errors import RequestError
from ..families.records import PromptFormat
from ..media.budget import Budget
from ..media.limits import MediaLimits
from ..media.options import request_limits
from ..media.source import Fetch, OpenMedia, open_media
from ..tokenizer.control_tokens import REQUIRED, image_tokens
from ..tokenizer.tokenizer import InternVL2Tokenizer, encode_segments
from .boxes import Picture
from .option_table import DEFAULT_MAX_TOKENS
from .options import read_options
from .prompt import Segment, build_prompt, collect_media, frame_labels
from .sampling import read_sampling

MAX_CHARACTERS_PER_TOKEN = 32
_OF_A_CHAT = ("boxes", "render", "image_labels", "continue_final_message", "add_generation_prompt")

# Threads of their own: slow image servers hold up nobody else, neither here nor in the event loop.
_fetching = ThreadPoolExecutor(16, thread_name_prefix="fetching")
_preparing = ThreadPoolExecutor(8, thread_name_prefix="preparing")
# They only wait for the processes that decode, which take turns between requests.
_decoding = ThreadPoolExecutor(64, thread_name_prefix="decoding")


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """The launched model, as far as preparing a request depends on it.

    Attributes:
        context_length: the most tokens that prompt and answer may have together.
        fetch: downloads media where the host allows it.
        engine: the engine that answers, by the name that the table of options has for it.
        max_tokens: the length of an answer whose request does not give one.
        budget: what all requests together may hold before they are answered.
        stop: strings that end every answer, beside those of its request.
        image_labels: as for `render`, where a request does not say.
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
    stop: tuple[str, ...] = ()
    image_labels: bool = True
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
        tiles: those of every image and frame that is decoded, (tiles, 3, tile_size, tile_size).
        stop_ids: the tokens that end an answer, and are no part of it.
        render: the prompt is the answer; nothing is generated.
        pictures: what the boxes of an answer may lie in; None if they are not asked for.
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
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False
    cache_salt: str | None = None
    adapter: str | None = None
    tiles: list[NDArray[np.uint8]] = field(default_factory=list)


async def prepare_on_thread(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    served: ServedCheckpoint,
    *,
    remote: bool,
) -> ChatRequest:
    """Run `prepare` on a thread, so that the event loop does not wait.

    Args:
        remote: whether media have to be fetched, for which no other request should wait.
    """
    threads = _fetching if remote else _preparing
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
    limits = request_limits(options, served.limits)
    build = _prompt_builder(messages, options, served)
    prompt = build(limits.frames)
    _check_length(sum(len(segment.text) for segment in prompt), served.context_length)
    # Wrong options are refused before anything is fetched.
    read_sampling(options, served.context_length, served.max_tokens)
    media = open_media(collect_media(prompt), limits, served.config, served.fetch)
    if any("fps" in item.media.options for item in media):
        counts = [item.frames for item in media if item.media.kind == "video"]
        prompt = build(counts)
    return _build_request(_fill_in(prompt, media, served.config), media, options, served)


def prepare_text(text: str, config: Mapping[str, Any], served: ServedCheckpoint) -> ChatRequest:
    """Encode a raw text, whose control tokens are read as such; otherwise as `prepare`."""
    options = read_options(config, served.engine)
    for name in _OF_A_CHAT:
        if name in options:
            raise RequestError(f"{name} is an option of a chat; use /v1/chat/completions")
    _check_length(len(text), served.context_length)
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
    room = _room(len(ids), served.context_length)
    sampling = read_sampling(options, room, served.max_tokens)
    return ChatRequest(
        ids=ids,
        media=media,
        text="".join(text for text, _ in segments),
        render=options.get("render", False),
        pictures=_pictures(media) if options.get("boxes") else None,
        sampling=replace(sampling, stop=(*sampling.stop, *served.stop)),
        stop_ids=[] if options.get("ignore_eos") else served.stop_ids,
        skip_special_tokens=options.get("skip_special_tokens", True),
        stream=options.get("stream", False),
        include_usage=options.get("include_usage", False),
        continuous_usage=options.get("continuous_usage_stats", False),
        cache_salt=options.get("cache_salt"),
        adapter=_adapter(options.get("lora_name"), served.adapters),
    )


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
        continue_last=_continue_last(options, messages),
        image_labels=options.get("image_labels", served.image_labels),
    )


def _continue_last(options: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the answer goes on with the last message, which is the assistant's then."""
    go_on, answer = options.get("continue_final_message"), options.get("add_generation_prompt")
    last = messages[-1] if messages else None
    if isinstance(last, Mapping) and last.get("role") == "assistant":
        if go_on is not None and go_on == answer:
            raise RequestError(
                f"add_generation_prompt {answer} contradicts continue_final_message {go_on}; "
                "give only one"
            )
        return bool(not answer if go_on is None else go_on)
    for name, value in (("continue_final_message", go_on), ("add_generation_prompt", answer)):
        if value is (name == "continue_final_message"):
            raise RequestError(f"{name} {value} needs an assistant message at the end")
    return False


def _fill_in(
    prompt: Sequence[Segment], media: Sequence[OpenMedia], config: CheckpointConfig
) -> list[tuple[str, bool]]:
    """Return the prompt's texts, each with whether it is trusted, with the image tokens in them."""
    counts = iter(item.tiles * config.tokens_per_tile for item in media for _ in range(item.frames))
    return [
        (image_tokens(next(counts)), True) if segment.media else (segment.text, segment.trusted)
        for segment in prompt
    ]


def _pictures(media: Sequence[OpenMedia]) -> list[Picture]:
    """Return the images and frames, labelled as in a prompt with labels."""
    pictures: list[Picture] = []
    images = count(1)
    for item in media:
        video = item.media.kind == "video"
        labels = frame_labels(item.frames) if video else [f"Image-{next(images)}"]
        pictures += [Picture(label, item.file.width, item.file.height) for label in labels]
    return pictures


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
