"""Tells control tokens, which no text of a user may become, from added tokens of a fine-tune."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer

from .control_token_table import CONTROL_TOKENS

_LIKE_CONTROL = re.compile(r"<.+>")


@dataclass(frozen=True, slots=True)
class TokenKinds:
    """The added tokens of a tokenizer by kind, as text → id.

    Attributes:
        controls: found in trusted text alone.
        fine_tuned: found in any text.
        special_ids: those of either kind that `skip_special_tokens` leaves out of a text.
    """

    controls: dict[str, int]
    fine_tuned: dict[str, int]
    special_ids: frozenset[int]


def is_control(content: str, special: bool) -> bool:
    """Whether an added token is special: whatever a file says, published control tokens are."""
    return special or content in CONTROL_TOKENS


def is_control_piece(text: str) -> bool:
    """Whether a user-defined piece is a control token by its look: no file calls it special."""
    return bool(_LIKE_CONTROL.fullmatch(text))


def find_fine_tuned(contents: Iterable[str], roles: Collection[str]) -> frozenset[str]:
    """Return the added tokens that the published tokenizers lack, and that have no role.

    Args:
        contents: the texts of all added tokens.
        roles: the texts of the bos, eos, pad and unk tokens.
    """
    return frozenset(contents) - CONTROL_TOKENS - frozenset(roles)


def sort_tokens(backend: Tokenizer, fine_tuned: Collection[str]) -> TokenKinds:
    """Return the added tokens of `backend` by kind; `fine_tuned` are the texts of a fine-tune's."""
    known = backend.get_added_tokens_decoder().items()
    return TokenKinds(
        {t.content: index for index, t in known if t.special and t.content not in fine_tuned},
        {t.content: index for index, t in known if t.content in fine_tuned},
        frozenset(index for index, token in known if token.special),
    )
