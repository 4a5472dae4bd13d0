"""Pictures between the lines of a terminal that says that it can show them."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

_KITTY_CHUNK = 4096  # bytes of a picture that one sequence may carry, by the protocol


def format_inline_image(
    png: bytes, *, isatty: bool, environment: Mapping[str, str] = os.environ
) -> str:
    """The escape sequences that show a picture, or nothing where they would show as letters."""
    if not isatty:
        return ""
    data = base64.b64encode(png).decode()
    if environment.get("TERM") == "xterm-kitty" or "KITTY_WINDOW_ID" in environment:
        return _format_kitty(data)
    if environment.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm"):
        return f"\033]1337;File=inline=1;size={len(png)}:{data}\a\n"
    return ""


def _format_kitty(data: str) -> str:
    chunks = [data[start : start + _KITTY_CHUNK] for start in range(0, len(data), _KITTY_CHUNK)]
    heads = ["f=100,a=T,", *[""] * (len(chunks) - 1)]
    more = [1] * (len(chunks) - 1) + [0]
    parts = zip(heads, more, chunks, strict=True)
    return "".join(f"\033_G{head}m={m};{chunk}\033\\" for head, m, chunk in parts) + "\n"
