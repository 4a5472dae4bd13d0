"""Checks the messages of a chat request part by part; an error names the place at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..errors import RequestError
from ..media.source import Media

Turn = tuple[str, Mapping[str, Any]]
"""A message and its place in the request, such as `messages[0]`."""


def split_system(messages: Sequence[Mapping[str, Any]]) -> tuple[str | None, list[Turn]]:
    """Return the system text, None if there is none, and the turns of user and assistant."""
    turns: list[Turn] = []
    system = None
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role = message.get("role") if isinstance(message, Mapping) else None
        if role == "system" and index == 0:
            system = _system_text(where, message.get("content"))
        elif role == "system":
            raise RequestError(f"{where}: a system message has to be the first and only one")
        elif role in ("user", "assistant"):
            _refuse_calls(where, message)
            turns.append((where, message))
        else:
            raise RequestError(
                f"{where}: role {role!r} is not supported; use system, user or assistant"
            )
    if not turns:
        raise RequestError("messages: there is no user message to answer")
    return system, turns


def _refuse_calls(where: str, message: Mapping[str, Any]) -> None:
    for name in ("tool_calls", "function_call"):
        if message.get(name):
            raise RequestError(f"{where}.{name}: the model calls no tools; leave it out")


def _system_text(where: str, content: Any) -> str:
    parts = read_parts(where, content)
    texts = [read_text(place, part) for place, part in parts if part.get("type") == "text"]
    if len(texts) != len(parts):
        raise RequestError(f"{where}.content: a system message can hold only text")
    return "\n".join(texts)


def read_parts(where: str, content: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the parts of a message's content, each with its place in the request."""
    if content is None:
        return []
    if isinstance(content, str):
        return [(f"{where}.content", {"type": "text", "text": content})]
    if not isinstance(content, list):
        raise RequestError(f"{where}.content has to be a string or a list of parts")
    for index, part in enumerate(content):
        if not isinstance(part, Mapping):
            raise RequestError(f"{where}.content[{index}] has to be an object with a type")
    return [(f"{where}.content[{index}]", part) for index, part in enumerate(content)]


def read_text(place: str, part: Mapping[str, Any]) -> str:
    """Return the text of a text part."""
    text = part.get("text")
    if not isinstance(text, str):
        raise RequestError(f"{place}.text has to be a string")
    return text


def read_media(place: str, part: Mapping[str, Any]) -> Media:
    """Return the image or video of a part, not fetched yet."""
    field = part.get("type")
    if field not in ("image_url", "video_url"):
        raise RequestError(
            f"{place}: content of type {field!r} is not supported; use text, image_url or video_url"
        )
    value = part.get(field)
    source = value if isinstance(value, Mapping) else {"url": value}
    url, detail = source.get("url"), source.get("detail")
    if not isinstance(url, str) or not url:
        raise RequestError(f"{place}.{field} has to be a URL or an object with one")
    if detail not in (None, "auto", "low", "high"):
        raise RequestError(f"{place}.{field}.detail {detail!r} is not one of auto, low, high")
    kind: Literal["image", "video"] = "image" if field == "image_url" else "video"
    return Media(kind, url, f"{place}.{field}", detail)


def count_images(turns: list[Turn]) -> int:
    """Return the number of images in a conversation."""
    contents = (message.get("content") for _, message in turns)
    return sum(
        isinstance(part, Mapping) and part.get("type") == "image_url"
        for content in contents
        if isinstance(content, list)
        for part in content
    )
