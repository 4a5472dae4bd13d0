"""The UTF-8 bytes of tokens, each of which may be a part of a character."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tokenizers import Tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from .prefix_space import SPACE
from .token_kinds import TokenKinds

_BYTE_OF = {letter: byte for byte, letter in bytes_to_unicode().items()}
"""Letter of a byte-level token → the byte that it stands for."""
_INVALID_BYTE = re.compile("[\udc80-\udcff]")


class TokenBytes:
    """The bytes of a tokenizer's tokens.

    `has_byte_tokens` says whether it spells what its vocabulary lacks byte by byte, as `<0xE2>`.

    Args:
        kinds: its added tokens, which stand for their own letters.
    """

    def __init__(self, backend: Tokenizer, kinds: TokenKinds) -> None:
        self._backend, self._kinds = backend, kinds
        by_id = {backend.token_to_id(f"<0x{byte:02X}>"): byte for byte in range(256)}
        self._values = {index: byte for index, byte in by_id.items() if index is not None}
        self.has_byte_tokens = bool(self._values)

    def of(self, index: int) -> bytes:
        """Return the bytes of the token `index`."""
        text = self._backend.id_to_token(index) or ""
        if text in self._kinds.controls or text in self._kinds.fine_tuned:
            return text.encode()
        if not self.has_byte_tokens:
            return bytes(_BYTE_OF[letter] for letter in text if letter in _BYTE_OF)
        if index in self._values:
            return bytes([self._values[index]])
        return text.replace(SPACE, " ").encode()

    def decode(self, ids: Iterable[int]) -> str:
        """Decode byte by byte: for one invalid byte, the backend would drop a whole run."""
        data = bytearray()
        for index in ids:
            if index in self._values:
                data.append(self._values[index])
            else:
                data += (self._backend.id_to_token(index) or "").replace(SPACE, " ").encode()
        return _INVALID_BYTE.sub("\ufffd", data.decode("utf-8", "surrogateescape"))
