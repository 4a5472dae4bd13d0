"""From OpenAI chat messages to the prompt that an InternVL2 checkpoint was trained on.

Pure data in, pure data out: no image is fetched and no tokenizer is needed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import RequestError
from ..families.records import PromptFormat, prompt_format_named
from ..media.limits import DEFAULT_FRAMES
from ..media.source import Media
from .messages import count_images, media_part, parts_of, split_system, text_of

PLACEHOLDER = "<image>"
# Clients write these to ask about regions; they neither end a turn nor stand for an image.
_GROUNDING = re.compile(r"(</?(?:ref|box|quad)>)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of the prompt: text of the format (`trusted`), text of the request, or media."""

    text: str
    trusted: bool = False
    media: Media | None = None


class Rendered(NamedTuple):
    """A prompt with one `<image>` for every image and every frame of a video in `media`, in the
    same order."""

    text: str
    media: tuple[Media, ...]


def render(
    messages: Sequence[Mapping[str, Any]],
    prompt_format: PromptFormat | str,
    frames: int = DEFAULT_FRAMES,
) -> Rendered:
    """The prompt text of `messages` and their media, both in order.

    Args:
        messages: as in an OpenAI chat request.
        prompt_format: one of the family's, or its name.
        frames: what is shown of every video.

    Raises:
        RequestError: a message that cannot be rendered; the text names the part at fault.

    Source: the conversation templates published with InternVL2.
    """
    run = pieces(messages, prompt_format, frames)
    return Rendered("".join(piece.text for piece in run), media_of(run))


def media_of(run: Sequence[Piece]) -> tuple[Media, ...]:
    """The images and videos of a prompt; a video stands there once, though it has many frames."""
    found = {id(piece.media): piece.media for piece in run if piece.media is not None}
    return tuple(found.values())


def pieces(
    messages: Sequence[Mapping[str, Any]],
    prompt_format: PromptFormat | str,
    frames: int = DEFAULT_FRAMES,
) -> list[Piece]:
    """The prompt of `messages` as runs, so that text of a request can be kept from being read
    as a control token. Arguments and errors as for `render`."""
    if isinstance(prompt_format, str):
        prompt_format = prompt_format_named(prompt_format)
    system, turns = split_system(messages)
    if system is None:
        system = prompt_format.system_text
    labels = _Labels(count_images(turns), frames)
    run = [*_turn("system", [Piece(system)], prompt_format)]
    for where, message in turns:
        run += _turn(message["role"], _content(where, message, labels), prompt_format)
    if turns[-1][1]["role"] == "assistant":
        # The last answer is continued, so its turn stays open.
        run.pop()
    else:
        run.append(Piece(prompt_format.roles["assistant"], trusted=True))
    return [piece for piece in run if piece.text]


def _turn(role: str, content: list[Piece], prompt_format: PromptFormat) -> Iterator[Piece]:
    yield Piece(prompt_format.roles[role], trusted=True)
    yield from content
    yield Piece(prompt_format.turn_end, trusted=True)


def _content(where: str, message: Mapping[str, Any], labels: _Labels) -> list[Piece]:
    """A turn's text and media. Media come first, as the model was trained, unless the request
    puts text on both sides of one: then the order is kept."""
    run: list[Piece | Media] = []
    for place, part in parts_of(where, message.get("content")):
        if part.get("type") == "text":
            run.append(Piece(text_of(place, part)))
        elif message["role"] == "assistant":
            raise RequestError(f"{place}: an assistant message can hold only text")
        else:
            run.append(media_part(place, part))
    kinds = [isinstance(item, Media) for item in run]
    if kinds == sorted(kinds):
        run.sort(key=lambda item: isinstance(item, Piece))
    return list(_laid_out(run, labels))


def _laid_out(run: list[Piece | Media], labels: _Labels) -> Iterator[Piece]:
    """Every image and frame on a line of its own; texts that follow each other on lines of their
    own."""
    after_text = False
    for item in run:
        if after_text:
            yield Piece("\n")
        after_text = isinstance(item, Piece)
        if isinstance(item, Piece):
            yield from _request_text(item.text)
            continue
        for label in labels.of(item):
            yield Piece(label)
            yield Piece(PLACEHOLDER, trusted=True, media=item)
            yield Piece("\n")


def _request_text(text: str) -> Iterator[Piece]:
    for index, part in enumerate(_GROUNDING.split(text)):
        yield Piece(part, trusted=index % 2 == 1)


class _Labels:
    """`Image-1: `, `Image-2: ` … through the whole conversation, nothing for a lone image;
    `Frame1: `, `Frame2: ` … for every video from the start."""

    def __init__(self, images: int, frames: int) -> None:
        self._images, self._frames, self._count = images, frames, 0

    def of(self, media: Media) -> list[str]:
        if media.kind == "video":
            return [f"Frame{number}: " for number in range(1, self._frames + 1)]
        self._count += 1
        return [f"Image-{self._count}: " if self._images > 1 else ""]
