"""Turns token ids into text incrementally, so that no text has to be taken back.

>>> detokenizer = Detokenizer(tokenizer, stop=["###"])  # doctest: +SKIP
>>> for token in tokens:  # doctest: +SKIP
...     print(detokenizer.add(token), end="")
>>> print(detokenizer.finish())  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .stop_conditions import StopStringMatcher

MAX_UNDECODED = 64
"""The most tokens without text that are held back: each new one decodes all of them again."""


class Detokenizer:
    """The text of one answer up to its first stop string; characters are never split.

    Joined, the returns of `add` and `finish` are the whole text.

    Args:
        stop: strings that end the answer, once it has more than `min_tokens` tokens.
        skip_special_tokens: whether all control tokens are left out of the text.
        hidden: tokens that are never part of the text.
        before: the last tokens of a text that the answer continues.
        include_stop: whether the text keeps the stop string or stop token that ended it.
    """

    def __init__(
        self,
        tokenizer: Any,
        stop: Sequence[str] = (),
        *,
        min_tokens: int = 0,
        skip_special_tokens: bool = True,
        hidden: Collection[int] = (),
        before: Sequence[int] = (),
        include_stop: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._stop = StopStringMatcher(stop, include_stop)
        self._min_tokens, self._include_stop = min_tokens, include_stop
        self._skip_special_tokens, self._hidden = skip_special_tokens, frozenset(hidden)
        self._ids, self._before = list(before), len(before)
        # The text of `_ids[:_decoded]` has been taken. Each new token is decoded together with
        # `_ids[_context:]`, since a tokenizer drops the space before the first word of a text.
        self._context, self._decoded = 0, len(before)

    @property
    def stop_string(self) -> str | None:
        """The stop string that ended the text."""
        return self._stop.found

    @property
    def stopped(self) -> bool:
        """Whether a stop string was found."""
        return self.stop_string is not None

    def add(self, token: int) -> str:
        """Add the next token, and return the text that no later token can change."""
        self._ids.append(token)
        text = self._decode_new()
        # A character of several tokens is incomplete until its last one, and a tokenizer drops
        # the space of a word that follows nothing but control tokens.
        incomplete = not text or text.endswith("\ufffd")
        if incomplete and len(self._ids) - self._decoded < MAX_UNDECODED:
            return ""
        return self._take(text)

    def finish(self, token: int | None = None) -> str:
        """Return the rest of the text; `token` is the stop token, if one ended the answer."""
        if self.stopped:
            return ""
        if token is not None and self._include_stop:
            self._ids.append(token)
        ready = self._take(self._decode_new())
        return ready if self.stopped else ready + self._stop.held_back

    @property
    def raw_text(self) -> str:
        """The text of all tokens so far, control tokens and what follows a stop string included."""
        return self._decode(self._ids, skip_special_tokens=False)

    def _decode_new(self) -> str:
        skip = self._skip_special_tokens
        taken = self._decode(self._ids[self._context : self._decoded], skip)
        return self._decode(self._ids[self._context :], skip)[len(taken) :]

    def _decode(self, ids: list[int], skip_special_tokens: bool) -> str:
        text = self._tokenizer.decode(
            [token for token in ids if token not in self._hidden],
            skip_special_tokens=skip_special_tokens,
            clean_up_tokenization_spaces=False,
        )
        return str(text)

    def _take(self, text: str) -> str:
        """Take `text`, and return the text that cannot be part of a stop string."""
        self._context, self._decoded = self._decoded, len(self._ids)
        return self._stop.add(text, may_stop=len(self._ids) - self._before > self._min_tokens)
