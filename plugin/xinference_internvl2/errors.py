"""The errors of the host-free part of the plugin; each message is one sentence for the user."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_MESSAGE = 600
"""Characters of a message: what a checkpoint or a request holds may be of any length."""
_HEAD = 400

NO_TOOLS = "the model calls no tools"
NO_TOOL_RESULT = f"{NO_TOOLS}, so nothing can be the result of one"
"""What a request that has tools is told, whichever door it comes through."""


def one_sentence(message: str) -> str:
    """`message` in one line of at most `MAX_MESSAGE` printable characters, whatever it quotes.

    The middle is left out where it is too long: its beginning names the thing, its end the remedy.
    """
    line = " ".join(message[: 1 << 16].split())
    shown = "".join(letter if letter.isprintable() else _escape(letter) for letter in line)
    if len(shown) <= MAX_MESSAGE:
        return shown
    return shown[:_HEAD] + " … " + shown[_HEAD + 3 - MAX_MESSAGE :]


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


class _UserError(ValueError):
    """An error whose message reaches a user as it is."""

    def __init__(self, message: str) -> None:
        super().__init__(one_sentence(message))


class CheckpointError(_UserError):
    """A checkpoint directory that cannot be served, with what was found and what to do."""


@contextmanager
def point_to_doctor(path: str | Path) -> Iterator[None]:
    """Add the command that tells all of a checkpoint to an error about it."""
    try:
        yield
    except CheckpointError as error:
        command = f"xinference-internvl2 doctor {shlex.quote(str(path))}"
        raise CheckpointError(f"{error}. All that is wrong with it: {command}") from None


class RequestError(_UserError):
    """A chat request that cannot be answered as it is; the message names the part at fault."""


class OverloadedError(RequestError):
    """A chat request that could be answered, but not now: too many others wait."""
