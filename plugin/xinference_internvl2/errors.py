"""The errors that a user can cause, each one sentence that names the remedy, and their wording."""

from __future__ import annotations

from collections.abc import Iterable

MAX_MESSAGE = 600
"""Characters of a message, since what it quotes may be of any length."""
_HEAD = 400

NO_TOOLS = "the model calls no tools"
NO_TOOL_RESULT = f"{NO_TOOLS}, so nothing can be the result of one; leave it out"
"""What every API says of a request that has tools."""


def one_sentence(message: str) -> str:
    """Return `message` as one line of at most `MAX_MESSAGE` printable characters.

    Of a longer one the middle is left out: its beginning names the thing, its end the remedy.
    """
    line = " ".join(message[: 1 << 16].split())
    shown = "".join(letter if letter.isprintable() else _escape(letter) for letter in line)
    if len(shown) <= MAX_MESSAGE:
        return shown
    return shown[:_HEAD] + " … " + shown[_HEAD + 3 - MAX_MESSAGE :]


def join_names(names: Iterable[str]) -> str:
    """Return names for a message, each once, or "nothing" if there are none."""
    return ", ".join(dict.fromkeys(names)) or "nothing"


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


class _UserError(ValueError):
    """An error whose message is shown to the user unchanged."""

    def __init__(self, message: str) -> None:
        super().__init__(one_sentence(message))


class CheckpointError(_UserError):
    """A checkpoint, or an option of a launch, that cannot be served."""


class RequestError(_UserError):
    """A request that cannot be answered as it is; the message names the part at fault."""


class OverloadedError(RequestError):
    """A request that cannot be answered now, because too many others wait."""
