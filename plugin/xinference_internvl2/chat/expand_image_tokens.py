"""Expands the `<image>` of every picture and frame into the image tokens that its tiles take."""

from __future__ import annotations

from collections.abc import Sequence

from ..checkpoint.config import CheckpointConfig
from ..media.media_item import OpenMedia
from ..tokenizer.image_tokens import image_tokens
from .segment import Segment


def expand_image_tokens(
    prompt: Sequence[Segment],
    media: Sequence[OpenMedia],
    config: CheckpointConfig,
    images: bool = True,
) -> list[tuple[str, bool]]:
    """Return the prompt as segments (text, trusted), with its image tokens unless not `images`."""
    per_tile = config.tokens_per_tile if images else 0
    counts = iter(item.tiles * per_tile for item in media for _ in range(item.frames))
    return [
        (image_tokens(next(counts)), True) if segment.media else (segment.text, segment.trusted)
        for segment in prompt
    ]
