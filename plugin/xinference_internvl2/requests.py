"""A chat request made ready for an engine: what both loaders do in the same way."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from .config import CheckpointConfig
from .errors import RequestError
from .images import MAX_PIXELS, ImageFile, count_tiles, open_image
from .prompt import Media, image_tokens, pieces
from .runtime import PromptFormat
from .sampling import Sampling
from .tokenizer import InternVL2Tokenizer, encode_segments

DEFAULT_MAX_TOKENS = 1024
MAX_CHARACTERS_PER_TOKEN = 32
MAX_IMAGE_BYTES = 256 * 1024 * 1024
FETCH_SECONDS = 60
MAX_STOPS, MAX_STOP_LENGTH = 16, 256

# Not the event loop's own threads: slow image servers would take them from every other request.
_fetching = ThreadPoolExecutor(8, thread_name_prefix="images")


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """What a request is prepared for. `context_length` is the most tokens that prompt and answer
    may have together."""

    config: CheckpointConfig
    tokenizer: InternVL2Tokenizer
    prompt_format: PromptFormat
    context_length: int

    def max_tiles(self, media: Media) -> int:
        return 1 if media.detail == "low" else self.config.max_tiles

    def tiling(self, media: Media) -> dict[str, Any]:
        """The arguments of `image_to_tiles` for an image of a request."""
        most = self.max_tiles(media)
        return {
            "image_size": self.config.tile_size,
            "min_tiles": min(self.config.min_tiles, most),
            "max_tiles": most,
            "use_thumbnail": self.config.use_thumbnail,
        }


def trained_length(checkpoint: CheckpointConfig, context_length: int) -> int:
    """The family's context length, or less where the language model was trained on less."""
    if checkpoint.llm["rope_parameters"]["rope_type"] in ("dynamic", "longrope"):
        return context_length
    return min(context_length, int(checkpoint.llm["max_position_embeddings"]))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`ids` is the whole prompt, with an image token for every feature of the images."""

    ids: list[int]
    images: list[tuple[Media, ImageFile]]
    sampling: Sampling


async def prepared(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any], served: ServedCheckpoint
) -> ChatRequest:
    """`prepare` on a thread, so that neither the event loop nor requests without images wait."""
    work = partial(prepare, messages, config, served)
    if any(isinstance(message.get("content"), list) for message in messages):
        return await asyncio.get_running_loop().run_in_executor(_fetching, work)
    return await asyncio.to_thread(work)


def prepare(
    messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any], served: ServedCheckpoint
) -> ChatRequest:
    """Fetch the images, encode the prompt, and read the sampling options.

    Of the images only the headers are read: what does not fit is refused before any decoding.

    Args:
        messages: of an OpenAI chat request.
        config: its other fields, as the host hands them over.

    Raises:
        RequestError: the request cannot be answered; the message names the part at fault.
    """
    run = pieces(messages, served.prompt_format)
    _check_length(sum(len(piece.text) for piece in run), served.context_length)
    images = _images([piece.media for piece in run if piece.media])
    tokens = iter(
        count_tiles(file.image, **served.tiling(media)) * served.config.tokens_per_tile
        for media, file in images
    )
    segments = [
        (image_tokens(next(tokens)), True) if piece.media else (piece.text, piece.trusted)
        for piece in run
    ]
    ids = encode_segments(served.tokenizer, segments)
    return ChatRequest(ids, images, read_sampling(config, _room(len(ids), served.context_length)))


def _images(media: list[Media]) -> list[tuple[Media, ImageFile]]:
    deadline = time.monotonic() + FETCH_SECONDS
    images: list[tuple[Media, ImageFile]] = []
    size = pixels = 0
    for item in media:
        data = _fetch(item, deadline)
        file = open_image(data, item.where)
        images.append((item, file))
        size, pixels = size + len(data), pixels + file.pixels
        if size > MAX_IMAGE_BYTES or pixels > MAX_PIXELS:
            raise RequestError(
                f"{item.where}: the images of the request have over {MAX_IMAGE_BYTES:,} bytes or "
                f"{MAX_PIXELS:,} pixels together; send fewer or smaller ones"
            )
    return images


def _fetch(media: Media, deadline: float) -> bytes:
    from xinference.model.llm.media import load_media_bytes

    try:
        # The host refuses what it does not allow, and bounds time and size.
        return bytes(load_media_bytes(media.url, deadline))
    except Exception as error:
        raise RequestError(f"{media.where} cannot be fetched: {error}") from None


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


def read_sampling(config: Mapping[str, Any], room: int) -> Sampling:
    """The sampling options of a request whose answer has `room` tokens at most.

    Raises:
        RequestError: an option that is out of its range or of the wrong type.
    """
    temperature = _number(config, "temperature", 0, 100)
    top_p = _number(config, "top_p", 0, 1)
    top_k = _number(config, "top_k", -1, math.inf)
    if temperature is None:
        # Greedy, as the model was published, unless the client asks for a choice of tokens.
        temperature = 0.0 if top_p is None and top_k is None else 1.0
    return Sampling(
        max_tokens=min(_max_tokens(config), room),
        temperature=0.0 if temperature < 1e-4 else temperature,
        top_p=1.0 if top_p is None else max(top_p, 1e-6),
        top_k=int(min(max(top_k or 0, 0), 1 << 20)),
        repetition_penalty=_number(config, "repetition_penalty", 1e-3, 1e3) or 1.0,
        seed=_seed(config),
        stop=_stop(config),
    )


def _number(config: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = config.get(name)
    if value is None:
        return None
    # `not low <= value` is true of NaN too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(f"{name} {value!r} is not a number from {low} to {high}")
    return float(value)


def _max_tokens(config: Mapping[str, Any]) -> int:
    from xinference.constants import XINFERENCE_MAX_TOKENS

    value = config.get("max_tokens")
    if value is None:
        return int(XINFERENCE_MAX_TOKENS or DEFAULT_MAX_TOKENS)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RequestError(f"max_tokens {value!r} is not a whole number of at least 1")
    return value


def _seed(config: Mapping[str, Any]) -> int | None:
    value = config.get("seed")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise RequestError(f"seed {value!r} is not a whole number from 0 to 2**63 - 1")
    return value


def _stop(config: Mapping[str, Any]) -> tuple[str, ...]:
    value = config.get("stop")
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise RequestError(f"stop has to be a string or a list of at most {MAX_STOPS} strings")
    for stop in stops:
        if not isinstance(stop, str) or not 1 <= len(stop) <= MAX_STOP_LENGTH:
            raise RequestError(
                f"stop {stop!r:.40} is not a string of 1 to {MAX_STOP_LENGTH} characters"
            )
    return tuple(stops)
