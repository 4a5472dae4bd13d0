"""Finds added tokens in text: control tokens in trusted text alone, those of a fine-tune in any.

The text of a user never becomes a control token, whatever its letters are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from tokenizers import Tokenizer

from .prefix_space import SPACE, Prefix, add_prefix
from .token_kinds import TokenKinds


class TokensInText:
    """The added tokens of a tokenizer, found in the segments of a prompt.

    Args:
        backend: with all of its tokens.
        start: the tokens that every prompt begins with.
        kinds: its added tokens by what text they are found in.
    """

    def __init__(
        self, backend: Tokenizer, start: list[int], prefix: Prefix, kinds: TokenKinds
    ) -> None:
        self._start, self._prefix = start, prefix
        self._fine_tuned = kinds.fine_tuned
        known = backend.get_added_tokens_decoder().values()
        self._eats_right = {token.content for token in known if token.rstrip}
        self._eats_left = {token.content for token in known if token.lstrip}
        # The prefix space before each run of text would hide them from the backend.
        split = kinds.fine_tuned if prefix == "every" else {}
        self._ids = kinds.controls | split
        self._control, self._fine_tuned_alone = _compile_any(self._ids), _compile_any(split)
        self._plain = _copy_without_control_tokens(backend, kinds.controls)
        # The copy gives tokens that are not in the vocabulary ids of its own.
        twin = {text: self._plain.token_to_id(text) for text in kinds.fine_tuned}
        self._renumbered = {twin[text]: index for text, index in kinds.fine_tuned.items()}

    def encode(self, segments: Sequence[tuple[str, bool]], named: Collection[str]) -> list[int]:
        """Return the token ids of (text, trusted) segments; `named` are the tokens with a role."""
        ids = list(self._start)
        for position, part in enumerate(self.split(segments, named)):
            if position % 2:
                ids.append(self._ids[part])
            elif part:
                found = self._plain.encode(part, add_special_tokens=False).ids
                ids.extend(self._renumbered.get(i, i) for i in found)
        return ids

    def split(self, segments: Sequence[tuple[str, bool]], named: Collection[str]) -> list[str]:
        """Split into text, control token, text, …, text, as the published tokenizer does."""
        parts = [""]
        for text, trusted in _join_neighbours(segments):
            found = (self._control if trusted else self._fine_tuned_alone).split(text)
            parts[-1] += found[0]
            parts += found[1:]
        if self._prefix == "first":
            parts = [part.replace(SPACE, " ") for part in parts]
        for position in range(1, len(parts), 2):
            if parts[position] in self._eats_right:
                parts[position + 1] = parts[position + 1].lstrip()
            if parts[position] in self._eats_left:
                parts[position - 1] = parts[position - 1].rstrip()
        return add_prefix(parts, self._prefix, named, self._fine_tuned)


def _copy_without_control_tokens(tokenizer: Tokenizer, controls: Collection[str]) -> Tokenizer:
    """Return a tokenizer with the same vocabulary that reads the texts `controls` as plain text."""
    twin = Tokenizer(tokenizer.model)
    # The setters refuse None.
    if tokenizer.normalizer is not None:
        twin.normalizer = tokenizer.normalizer
    if tokenizer.pre_tokenizer is not None:
        twin.pre_tokenizer = tokenizer.pre_tokenizer
    known = tokenizer.get_added_tokens_decoder()
    twin.add_tokens([token for _, token in sorted(known.items()) if token.content not in controls])
    return twin


def _compile_any(texts: Collection[str]) -> re.Pattern[str]:
    """Return a pattern that matches each of `texts`, the longest first; nothing for none."""
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("(" + ("|".join(map(re.escape, longest_first)) or "(?!)") + ")")


def _join_neighbours(segments: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Join neighbouring segments of equal trust: no token may span two that differ."""
    joined: list[tuple[str, bool]] = []
    for text, trusted in segments:
        if joined and joined[-1][1] == trusted:
            joined[-1] = (joined[-1][0] + text, trusted)
        else:
            joined.append((text, trusted))
    return joined
