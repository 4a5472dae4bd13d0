"""The tokenizer of an InternVL2 checkpoint, equal to the published one without its code.

>>> tokenizer = load_tokenizer("InternVL2-2B")  # doctest: +SKIP
>>> encode_segments(tokenizer, [("<|im_start|>user\\n", True), ("text of a user", False)])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import BatchEncoding, PreTrainedTokenizerFast

from ..checkpoint.json_files import require_folder
from ..errors import CheckpointError, RequestError
from .control_tokens_in_user_text import TokensInText
from .damaged_file import quote
from .files import read_tokenizer_files
from .prefix_space import SAVED_PREFIX, Prefix
from .rust_panics import translate_panics
from .token_bytes import TokenBytes
from .token_kinds import sort_tokens

_TOO_MUCH = "the text is more than the tokenizer can split (a run of millions of spaces, say)"


class InternVL2Tokenizer(PreTrainedTokenizerFast):
    """A fast tokenizer that tells control tokens from the same letters in a user's text.

    With `split_special_tokens=True` it reads control tokens as plain text. It pads on the left,
    never truncates by itself, and has no chat template: `chat.build_prompt` builds prompts.

    Args:
        backend: encodes a text, but adds no prefix space.
        prefix: where that space is added.
        fine_tuned: added tokens that are no control tokens, so that any text may become one.
        named: the special tokens, by transformers' names.
    """

    padding_side = "left"

    def __init__(
        self,
        backend: Tokenizer,
        *,
        prefix: Prefix = "none",
        fine_tuned: frozenset[str] = frozenset(),
        **named: Any,
    ) -> None:
        self._tokenizer = backend  # transformers' own keyword would copy it
        self._prefix, start = prefix, backend.encode("").ids
        super().__init__(**{SAVED_PREFIX: prefix}, **named)
        self._kinds = sort_tokens(self._tokenizer, fine_tuned)
        self._tokens_in_text = TokensInText(self._tokenizer, start, prefix, self._kinds)
        self._token_bytes = TokenBytes(self._tokenizer, self._kinds)

    @classmethod
    def from_pretrained(cls, path: Any, *args: Any, **kwargs: Any) -> InternVL2Tokenizer:
        """Load from a local directory; every other argument is ignored."""
        return load_tokenizer(path)

    def _encode_plus(self, text: Any, text_pair: Any = None, **kwargs: Any) -> BatchEncoding:
        if self._prefix != "none" and not kwargs.get("is_split_into_words"):
            trusted = not kwargs.get("split_special_tokens")
            text, text_pair = (
                self._add_prefix_spaces(text, trusted),
                self._add_prefix_spaces(text_pair, trusted),
            )
        with translate_panics(RequestError(f"{_TOO_MUCH}; send less text")):
            return super()._encode_plus(text=text, text_pair=text_pair, **kwargs)

    def _decode(self, token_ids: Any, skip_special_tokens: bool = False, **kwargs: Any) -> str:
        text: str = super()._decode(token_ids, skip_special_tokens=skip_special_tokens, **kwargs)
        if "\ufffd" not in text or not self._token_bytes.has_byte_tokens:
            return text
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        text = self._token_bytes.decode(
            [i for i in ids if not skip_special_tokens or i not in self._kinds.special_ids]
        )
        return text[1:] if self._prefix != "none" and text.startswith(" ") else text

    def token_bytes(self, index: int) -> bytes:
        """Return the UTF-8 bytes of the token `index`, which may be a part of a character."""
        return self._token_bytes.of(index)

    def _add_prefix_spaces(self, text: Any, trusted: bool) -> Any:
        """Return the text or texts with the prefix spaces that the backend does not add."""
        if isinstance(text, str):
            return "".join(self._tokens_in_text.split([(text, trusted)], self.all_special_tokens))
        if isinstance(text, (list, tuple)):
            return [self._add_prefix_spaces(item, trusted) for item in text]
        return text


def load_tokenizer(path: str | Path, vocab_size: int | None = None) -> InternVL2Tokenizer:
    """Load the tokenizer of the checkpoint in the directory `path`.

    The first of `tokenizer.model`, `vocab.json` with `merges.txt`, and `tokenizer.json` is read,
    and `tokenizer_config.json`; where that names no added tokens, `added_tokens.json`. Nothing else
    is: no code, no network.

    Args:
        path: directory of a checkpoint.
        vocab_size: rows of the model's embedding; None does not compare them with the token ids.

    Raises:
        CheckpointError: a file is missing, damaged, or lacks a control token; or a token has no
            row in the embedding.
    """
    directory = Path(path)
    require_folder(directory, "a checkpoint")
    problem = "makes the tokenizer library fail; download the tokenizer files again"
    with translate_panics(CheckpointError(f"{directory} {problem}")):
        tokenizer = _build_tokenizer(directory)
    beyond = {} if vocab_size is None else _find_tokens_from(tokenizer, vocab_size)
    if beyond:
        index = min(beyond)
        raise CheckpointError(
            f"{directory}: the tokenizer has the token {quote(beyond[index])} with the id {index}, "
            f"but llm_config.vocab_size is {vocab_size}; save the model again after "
            "resize_token_embeddings, or its tokenizer without the token"
        )
    return tokenizer


def _find_tokens_from(tokenizer: InternVL2Tokenizer, index: int) -> dict[int, str]:
    """Return the tokens whose ids are `index` or more, by id."""
    return {i: token for token, i in tokenizer.get_vocab().items() if i >= index}


def _build_tokenizer(directory: Path) -> InternVL2Tokenizer:
    files = read_tokenizer_files(directory)
    tokenizer = InternVL2Tokenizer(
        files.backend,
        prefix=files.prefix,
        fine_tuned=files.fine_tuned,
        additional_special_tokens=files.additional,
        **files.named,
    )
    # Passed to the constructor, it may make transformers ask the Hub about a model of that name.
    tokenizer.name_or_path = str(directory)
    return tokenizer


def encode_segments(
    tokenizer: InternVL2Tokenizer, segments: Sequence[tuple[str, bool]]
) -> list[int]:
    """Return the token ids of a prompt, given as segments (text, whether it is trusted).

    Control tokens are recognized within neighbouring trusted segments only; elsewhere their
    letters are text. With no such letters in untrusted segments, the ids are those of the whole
    string, the leading BOS included.

    Raises:
        RequestError: a text is not valid Unicode, or more than the tokenizer can split.
    """
    refuse_surrogates(text for text, _ in segments)
    with translate_panics(RequestError(f"{_TOO_MUCH}; send less text")):
        return tokenizer._tokens_in_text.encode(segments, tokenizer.all_special_tokens)


def refuse_surrogates(texts: Iterable[str]) -> None:
    """Refuse texts that are not valid Unicode.

    Raises:
        RequestError: a text has half a surrogate pair.
    """
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise RequestError(
                f"the text has half a surrogate pair, {text[error.start]!r}, at character "
                f"{error.start}; send valid Unicode"
            ) from None
