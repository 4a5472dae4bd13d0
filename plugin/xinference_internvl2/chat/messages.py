"""Reads the messages of a chat request part by part; an error names the place at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..errors import NO_TOOL_RESULT, NO_TOOLS, RequestError
from ..media.limits import MAX_FRAMES
from ..media.media_item import Media
from ..media.tile_and_frame_options import MEDIA_OPTIONS, read_values
from .option_table import NO_REASONING, Option
from .option_value_types import Described, Values
from .read_options import read_fields

Role = Literal["system", "user", "assistant"]
Part = str | Media

_ROLES: Mapping[Any, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_ANY = Described("any value")


def _build_table(
    neutral: Mapping[str, tuple[str, Any]], **accepted: Values
) -> Mapping[str, Option]:
    """Return the table of an object's fields: `accepted` ones, and those with one neutral value."""
    table = {name: Option(name, "", values) for name, values in accepted.items()}
    for name, (reason, value) in neutral.items():
        table[name] = Option(name, reason, None, (value,))
    return table


_MESSAGE = _build_table(
    {
        "name": ("the prompt format has no names", ""),
        "tool_calls": (NO_TOOLS, []),
        "tool_call_id": (NO_TOOLS, ""),
        "function_call": (NO_TOOLS, {}),
        "reasoning": (NO_REASONING, ""),
        "reasoning_content": (NO_REASONING, ""),
        "refusal": ("the prompt format has no refusals", ""),
        "audio": ("the model hears nothing", {}),
        "annotations": ("the prompt format has no annotations", []),
        "prefix": ("an assistant message at the end is continued anyway", False),
    },
    role=_ANY,
    content=_ANY,
    boxes=_ANY,
    cache_control=_ANY,
)
"""The fields of a message. A client may send back an answer with all fields that it had."""

# Type of a part → the fields of which one has its content.
_TEXT_TYPES = ("text", "input_text", "output_text")
_IMAGE_TYPES = {
    "image_url": ("image_url",),
    "image": ("image", "url", "base64", "source", "image_url"),
    "input_image": ("image_url",),
}
_VIDEO_TYPES = {"video_url": ("video_url",), "video": ("video", "url", "base64", "video_url")}
_TEXT_PART = _build_table(
    {"annotations": ("texts have none", []), "citations": ("texts have none", [])},
    type=_ANY,
    text=_ANY,
    logprobs=_ANY,
    cache_control=_ANY,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A message: its role, its texts and media in order, and its place in the request."""

    role: Role
    parts: list[Part]
    where: str


def read_turns(messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Return the turns of a conversation; system messages at its beginning are one turn.

    Raises:
        RequestError: a message that cannot be read; the text names the part at fault.
    """
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        turn = _read_turn(f"messages[{index}]", message)
        if turn.role == "system" and all(earlier.role == "system" for earlier in turns) and turns:
            turns[0].parts.extend(turn.parts)
        else:
            turns.append(turn)
    if not any(turn.role != "system" for turn in turns):
        raise RequestError("messages: there is no user message to answer")
    return turns


def _read_turn(where: str, message: Any) -> Turn:
    name = message.get("role") if isinstance(message, Mapping) else None
    if name in ("tool", "function"):
        raise RequestError(f"{where}: {NO_TOOL_RESULT}")
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise RequestError(
            f"{where}: role {name!r:.40} is not supported; use system, user or assistant"
        )
    read_fields(message, _MESSAGE, f"{where}.")
    turn = Turn(role, [], where)
    content = message.get("content")
    # In other models' conversations, an answer that calls tools may have no content.
    places = [] if content is None and role == "assistant" else _list_parts(where, content)
    for place, part in places:
        read = _read_part(place, part)
        if role != "user" and any(isinstance(found, Media) for found in read):
            article = "an" if role == "assistant" else "a"
            raise RequestError(f"{place}: {article} {role} message can hold only text")
        turn.parts.extend(read)
    return turn


def _list_parts(where: str, content: Any) -> list[tuple[str, Any]]:
    """Return the parts of a message's content, each with its place."""
    if isinstance(content, str):
        return [(f"{where}.content", {"type": "text", "text": content})]
    if not isinstance(content, list):
        raise RequestError(f"{where}.content has to be a string or a list of parts")
    return [(f"{where}.content[{index}]", part) for index, part in enumerate(content)]


def _read_part(place: str, part: Any) -> Sequence[Part]:
    if not isinstance(part, Mapping):
        raise RequestError(f"{place} has to be an object with a type")
    kind = part.get("type")
    name = kind if isinstance(kind, str) else ""
    if name in _TEXT_TYPES:
        return [_read_text(place, part)]
    if name in _IMAGE_TYPES:
        return _read_media(place, part, "image", _IMAGE_TYPES[name])
    if name in _VIDEO_TYPES:
        return _read_media(place, part, "video", _VIDEO_TYPES[name])
    raise RequestError(
        f"{place}: content of type {kind!r:.40} is not supported; use text, image_url or video_url"
    )


def _read_text(place: str, part: Mapping[str, Any]) -> str:
    read_fields(part, _TEXT_PART, f"{place}.")
    text = part.get("text")
    if not isinstance(text, str):
        raise RequestError(f"{place}.text has to be a string")
    return text


def _read_media(
    place: str, part: Mapping[str, Any], kind: Literal["image", "video"], names: tuple[str, ...]
) -> list[Media]:
    """Return an image or video, or the frames of a video; nothing is fetched.

    Its source is a URL, base64, an object with `url`, or Anthropic's `source`; a list of URLs
    is the frames of a video.
    """
    known = dict.fromkeys((*names, "type", "detail", "cache_control"), _ANY)
    given = [name for name in names if part.get(name) is not None] or [names[0]]
    read_fields(part, _build_table({}, **known), f"{place}.")
    if len(given) > 1:
        raise RequestError(f"{place}: {' and '.join(given)} are two sources; give only one")
    where = f"{place}.{given[0]}"
    value = part.get(given[0])
    source = value if isinstance(value, Mapping) else {"url": value}
    # Ignored: the file itself tells its type.
    described = ("type", "url", "data", "media_type", "format")
    wanted = {name: value for name, value in source.items() if name not in described}
    if part.get("detail") is not None:
        wanted.setdefault("detail", part["detail"])
    frames = source.get("url") if kind == "video" else None
    if isinstance(frames, list):
        return _read_frames(where, frames, wanted)
    options = read_values(where, wanted, MEDIA_OPTIONS[kind])
    return [Media(kind, _read_url(where, given[0], source), where, options)]


def _read_frames(where: str, urls: list[Any], wanted: Mapping[str, Any]) -> list[Media]:
    if not 1 <= len(urls) <= MAX_FRAMES:
        raise RequestError(f"{where} has {len(urls)} frames; give 1 to {MAX_FRAMES}")
    options = read_values(where, wanted, MEDIA_OPTIONS["frame"])
    places = [f"{where}[{index}]" for index in range(len(urls))]
    return [
        Media("frame", _read_url(place, "url", {"url": url}), place, options, number)
        for number, (place, url) in enumerate(zip(places, urls, strict=True), 1)
    ]


def _read_url(where: str, name: str, source: Mapping[str, Any]) -> str:
    data, url = source.get("data"), source.get("url")
    if name == "base64":
        data, url = url, None
    found = data or url
    if not isinstance(found, str) or not found or (data and url):
        raise RequestError(f"{where} has to be a URL or an object with one")
    return f"data:;base64,{data}" if data else cast(str, url)
