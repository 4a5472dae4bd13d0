"""A segment of a prompt: a text, trusted or a user's, or the place of an image or frame."""

from __future__ import annotations

from dataclasses import dataclass

from ..media.media_item import Media


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the prompt: a text, or the place of an image or frame.

    Attributes:
        trusted: whether control tokens are recognized in it, which are those of the prompt format.
        media: what stands at the place; None for a text.
    """

    text: str
    trusted: bool = False
    media: Media | None = None
