"""The control tokens that keep their meaning in a user's text: those that name regions."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Clients write these tokens to ask about regions; they neither end a turn nor place an image.
_GROUNDING = re.compile(r"(</?(?:ref|box|quad)>)")


def split_grounding(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, each with whether it is such a token."""
    for index, part in enumerate(_GROUNDING.split(text)):
        yield part, index % 2 == 1
