"""A chat request made ready for an engine: what both loaders do in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from xinference.constants import XINFERENCE_MAX_TOKENS
from xinference.model.llm.context_length import ContextLengthExceeded
from xinference.model.llm.media import load_media_bytes

from .config import CheckpointConfig
from .errors import RequestError
from .images import count_tiles, open_image
from .prompt import image_tokens, pieces
from .runtime import PromptFormat
from .sampling import Sampling
from .tokenizer import InternVL2Tokenizer, encode_segments

DEFAULT_MAX_TOKENS = 1024


class PromptTooLong(RequestError, ContextLengthExceeded):
    """The prompt leaves no room for an answer; the host knows it by its own class."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`ids` is the whole prompt, with an image token for every feature of the `images`."""

    ids: list[int]
    images: list[Image.Image]
    sampling: Sampling


def prepare(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    *,
    prompt_format: PromptFormat,
    tokenizer: InternVL2Tokenizer,
    checkpoint: CheckpointConfig,
    context_length: int,
) -> ChatRequest:
    """Fetch and open the images, encode the prompt, and read the sampling options.

    Args:
        messages: of an OpenAI chat request.
        config: its other fields, as the host hands them over.
        context_length: the most tokens that prompt and answer may have together.

    Raises:
        RequestError: the request cannot be answered; the message names the part at fault.
    """
    segments: list[tuple[str, bool]] = []
    images: list[Image.Image] = []
    for piece in pieces(messages, prompt_format):
        if piece.media is None:
            segments.append((piece.text, piece.trusted))
            continue
        image = open_image(_fetch(piece.media.url, piece.media.where), piece.media.where)
        images.append(image)
        tiles = count_tiles(image, **tiling(checkpoint))
        segments.append((image_tokens(tiles * checkpoint.tokens_per_tile), True))
    ids = encode_segments(tokenizer, segments)
    return ChatRequest(ids, images, read_sampling(config, _room(len(ids), context_length)))


def tiling(checkpoint: CheckpointConfig) -> dict[str, Any]:
    """The arguments of `image_to_tiles` for a checkpoint."""
    return {
        "image_size": checkpoint.tile_size,
        "min_tiles": checkpoint.min_tiles,
        "max_tiles": checkpoint.max_tiles,
        "use_thumbnail": checkpoint.use_thumbnail,
    }


def _fetch(url: str, where: str) -> bytes:
    try:
        # The host refuses what it does not allow, and bounds time and size.
        return bytes(load_media_bytes(url))
    except Exception as error:
        raise RequestError(f"{where} cannot be fetched: {error}") from None


def _room(prompt_tokens: int, context_length: int) -> int:
    if prompt_tokens >= context_length:
        raise PromptTooLong(
            f"the prompt has {prompt_tokens} tokens, but the context length is "
            f"{context_length}; send less text or fewer images"
        )
    return context_length - prompt_tokens


def read_sampling(config: Mapping[str, Any], room: int) -> Sampling:
    """The sampling options of a request whose answer has `room` tokens at most.

    Raises:
        RequestError: an option of the wrong type.
    """
    stop = config.get("stop") or ()
    temperature, top_p, top_k = (config.get(key) for key in ("temperature", "top_p", "top_k"))
    if temperature is None:
        # Greedy, as the model was published, unless the client asks for a choice of tokens.
        temperature = 0.0 if top_p is None and top_k is None else 1.0
    seed = config.get("seed")
    if seed is not None and not isinstance(seed, int):
        raise RequestError(f"seed {seed!r} has to be a whole number")
    wanted = config.get("max_tokens") or XINFERENCE_MAX_TOKENS or DEFAULT_MAX_TOKENS
    return Sampling(
        max_tokens=min(int(wanted), room),
        temperature=float(temperature),
        top_p=1.0 if top_p is None else float(top_p),
        top_k=max(int(top_k or 0), 0),
        repetition_penalty=float(config.get("repetition_penalty") or 1.0),
        seed=seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
    )
