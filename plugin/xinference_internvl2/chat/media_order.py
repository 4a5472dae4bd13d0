"""The order of pictures, videos and texts in a turn: media first, as in training, or as written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import RequestError
from ..media.media_item import Media
from .image_labels import Labels
from .messages import Turn
from .region_tokens import split_user_text
from .segment import Segment

PLACEHOLDER = "<image>"


def lay_out(turn: Turn, labels: Labels) -> Iterator[Segment]:
    """Yield a turn with every image and frame on a line of its own, and a line break between texts.

    Media come first, as in training; but in the order of the request if one stands between texts.
    """
    parts = turn.parts
    are_media = [isinstance(part, Media) for part in parts]
    if are_media == sorted(are_media):
        parts = sorted(parts, key=lambda part: isinstance(part, str))
    after_text = False
    for part in parts:
        if after_text:
            yield Segment("\n")
        after_text = isinstance(part, str)
        if isinstance(part, str):
            yield from split_user_text(part)
        else:
            yield from _place_media(part, labels.of(part))


def lay_out_as_written(turn: Turn, labels: Labels) -> Iterator[Segment]:
    """Yield a turn in the order of the request, with a line break after each picture.

    Where the text of a user has `<image>`, its images stand in these places.

    Raises:
        RequestError: it has more or fewer `<image>` than images.
    """
    images = [part for part in turn.parts if isinstance(part, Media) and part.kind == "image"]
    marks = sum(part.count(PLACEHOLDER) for part in turn.parts if isinstance(part, str))
    in_text = turn.role == "user" and marks > 0
    if in_text and marks != len(images):
        raise RequestError(
            f"{turn.where}: the text has {marks} {PLACEHOLDER}, but the message has {len(images)} "
            f"images; write {PLACEHOLDER} once for each, or leave it out"
        )
    unplaced = iter(images)
    for part in turn.parts:
        if isinstance(part, str):
            for index, text in enumerate(part.split(PLACEHOLDER) if in_text else [part]):
                if index:
                    yield Segment(PLACEHOLDER, trusted=True, media=next(unplaced))
                yield from split_user_text(text)
        elif part.kind != "image" or not in_text:
            yield from _place_media(part, labels.of(part))


def _place_media(media: Media, labels: Iterable[str]) -> Iterator[Segment]:
    for label in labels:
        yield Segment(label)
        yield Segment(PLACEHOLDER, trusted=True, media=media)
        yield Segment("\n")
