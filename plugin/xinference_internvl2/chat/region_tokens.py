"""In which parts of a prompt control tokens keep their meaning.

They do in what the prompt format writes, and, of what a user writes, where they name regions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .segment import Segment

# Clients write these tokens to ask about regions; they neither end a turn nor place an image.
_GROUNDING = re.compile(r"(</?(?:ref|box|quad)>)")


def split_user_text(text: str) -> Iterator[Segment]:
    """Yield the parts of a text that a user wrote; those that name regions are trusted."""
    for index, part in enumerate(_GROUNDING.split(text)):
        yield Segment(part, trusted=index % 2 == 1)
