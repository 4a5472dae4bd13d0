"""How large a request is: its text before tokenizing, its media before fetching and decoding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import RequestError
from ..media.limits import MAX_FETCHED_BYTES
from ..media.media_item import OpenMedia
from ..tokenizer.tokenizer import refuse_surrogates

MAX_CHARACTERS_PER_TOKEN = 32
TOKENS_PER_PART = 4
"""The least tokens that a message or part takes, which bounds how many of them a context holds."""
_ELSEWHERE = ("http", "file")


class MediaSize(NamedTuple):
    """The bytes of media that a request contains, and whether others have to be fetched."""

    inline: int
    remote: bool


def check_text(texts: Sequence[str], context_length: int) -> None:
    """Refuse the text of a prompt that is far too long, or not valid Unicode, before tokenizing.

    Raises:
        RequestError: it has more characters than any text of `context_length` tokens, or half a
            surrogate pair.
    """
    characters = sum(map(len, texts))
    if characters > MAX_CHARACTERS_PER_TOKEN * context_length:
        raise RequestError(
            f"the prompt has {characters} characters, far more than the context length of "
            f"{context_length} tokens can hold; send less text"
        )
    refuse_surrogates(texts)


def measure_media(messages: Sequence[Mapping[str, Any]], context_length: int) -> MediaSize:
    """Measure the media of `messages`.

    Raises:
        RequestError: more messages or parts than the context can hold.
    """
    most = context_length // TOKENS_PER_PART
    if not isinstance(messages, list):
        return MediaSize(0, False)  # `read_turns` refuses it.
    _check_count("messages", len(messages), most)
    sizes: list[int | None] = []
    parts = 0
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, list):
            parts += len(content)
            _check_count("content parts", parts, most)
            sizes += [size for part in content for size in _measure_part(part)]
    return MediaSize(sum(size for size in sizes if size is not None), None in sizes)


def assume_fetched(size: MediaSize) -> int:
    """Return the bytes to reckon with while media are fetched, whose size nobody knows yet."""
    return size.inline + MAX_FETCHED_BYTES


def measure_files(media: Sequence[OpenMedia]) -> int:
    """Return the bytes of the files of `media`, which have been fetched."""
    return sum(len(item.file.data) for item in media)


def measure_tiles(media: Sequence[OpenMedia], tile_size: int) -> int:
    """Return the bytes that the tiles of `media` take once they are decoded.

    Args:
        tile_size: pixels of a side.
    """
    return sum(item.tiles * item.frames for item in media) * 3 * tile_size**2


def _check_count(kind: str, count: int, most: int) -> None:
    if count > most:
        raise RequestError(
            f"the request has {count} {kind}, more than the context can hold; send at most {most}"
        )


def _measure_part(part: Any) -> list[int | None]:
    """Return the size of each file in a part, in bytes; None for one that has to be fetched."""
    if not isinstance(part, Mapping) or part.get("type") in ("text", "input_text", "output_text"):
        return []
    found = (part[name] for name in part if name != "type")
    urls = (text for value in found for text in _iterate_texts(value))
    return [None if text[:4].lower() in _ELSEWHERE else len(text) * 3 // 4 for text in urls]


def _iterate_texts(value: Any, depth: int = 2) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list) and depth:
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _iterate_texts(each, depth - 1)
