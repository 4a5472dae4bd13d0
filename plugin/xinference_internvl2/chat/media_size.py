"""How much a chat request is, counted before any of it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import RequestError

TOKENS_PER_PART = 4
"""A message takes at least as many tokens of the prompt; so there cannot be more of them."""
_ELSEWHERE = ("http", "file")


class MediaSize(NamedTuple):
    """The bytes of the media that are written in a request, and whether some are elsewhere."""

    inline: int
    remote: bool


def measure_media(messages: Sequence[Mapping[str, Any]], context_length: int) -> MediaSize:
    """Return how large the media of `messages` are.

    Raises:
        RequestError: more messages or parts than the context can hold.
    """
    most = context_length // TOKENS_PER_PART
    if not isinstance(messages, list):
        return MediaSize(0, False)  # What it is instead is said where it is read.
    _check_count("messages", len(messages), most)
    sizes: list[int | None] = []
    parts = 0
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, list):
            parts += len(content)
            _check_count("content parts", parts, most)
            sizes += [size for part in content for size in _media_bytes(part)]
    return MediaSize(sum(size for size in sizes if size is not None), None in sizes)


def _check_count(kind: str, count: int, most: int) -> None:
    if count > most:
        raise RequestError(
            f"the request has {count} {kind}, more than the context can hold; send at most {most}"
        )


def _media_bytes(part: Any) -> list[int | None]:
    """Return the bytes of the media that are written in a part, None for one that is elsewhere."""
    if not isinstance(part, Mapping) or part.get("type") in ("text", "input_text", "output_text"):
        return []
    found = (part[name] for name in part if name != "type")
    urls = (text for value in found for text in _texts(value))
    return [None if text[:4].lower() in _ELSEWHERE else len(text) * 3 // 4 for text in urls]


def _texts(value: Any, depth: int = 2) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list) and depth:
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each, depth - 1)
