"""From token ids to text, in parts that never have to be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Tokens that may wait for their text; a bound, since they are decoded again with each new one.
_MOST_UNCLEAR = 64


class TextStream:
    """Turns token ids into text as they come, holding back what a later token may still change.

    The texts of `push` and `finish` together are the answer, cut before the first stop string;
    a character is never split. `done` says that a stop string was met.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._ids: list[int] = []
        # Tokens before `_read` have been turned into text; those from `_context` on are decoded
        # again with the next ones, since a tokenizer drops the space of a text's first word.
        self._context = self._read = 0
        self._pending = ""
        self.done = False

    def push(self, token: int) -> str:
        """The text that is certain after `token`."""
        self._ids.append(token)
        text = self._unread_text()
        # A character of several tokens is incomplete until its last one, and a tokenizer drops
        # the space of a word that follows nothing but control tokens.
        unclear = not text or text.endswith("\ufffd")
        if unclear and len(self._ids) - self._read < _MOST_UNCLEAR:
            return ""
        return self._take(text)

    def finish(self) -> str:
        """The rest of the text, once no token follows."""
        if self.done:
            return ""
        ready = self._take(self._unread_text())
        return ready if self.done else ready + self._pending

    def _unread_text(self) -> str:
        known = self._decode(self._ids[self._context : self._read])
        return self._decode(self._ids[self._context :])[len(known) :]

    def _decode(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def _take(self, text: str) -> str:
        self._context, self._read = self._read, len(self._ids)
        self._pending += text
        cuts = [self._pending.find(stop) for stop in self._stop if stop in self._pending]
        self.done = bool(cuts)
        held_back = 0 if cuts else _held_back(self._pending, self._stop)
        end = min(cuts) if cuts else len(self._pending) - held_back
        ready, self._pending = self._pending[:end], self._pending[end:]
        return ready


def _held_back(text: str, stop: Sequence[str]) -> int:
    """Length of the longest end of `text` that begins a stop string."""
    lengths = (
        size
        for string in stop
        for size in range(1, min(len(string), len(text) + 1))
        if text.endswith(string[:size])
    )
    return max(lengths, default=0)
