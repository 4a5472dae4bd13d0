"""How much of the context length a prompt leaves for the answer, and for tiles."""

from __future__ import annotations

from ..errors import RequestError

MAX_CHARACTERS_PER_TOKEN = 32


def check_characters(characters: int, context_length: int) -> None:
    """Refuse a text that is far too long, before its tokens are counted.

    Raises:
        RequestError: it has more characters than any text of `context_length` tokens.
    """
    if characters > MAX_CHARACTERS_PER_TOKEN * context_length:
        raise RequestError(
            f"the prompt has {characters} characters, far more than the context length of "
            f"{context_length} tokens can hold; send less text"
        )


def count_room(prompt_tokens: int, context_length: int) -> int:
    """Return the most tokens that the answer may have.

    Raises:
        RequestError: the prompt leaves room for none.
    """
    if prompt_tokens >= context_length:
        raise RequestError(
            f"the prompt has {prompt_tokens} tokens, but the context length is "
            f"{context_length}; send less text or fewer images"
        )
    return context_length - prompt_tokens


def count_tiles_left(taken: int, context_length: int, tokens_per_tile: int) -> int:
    """Return how many tiles fit beside the `taken` tokens of text and answer; below 0 for none."""
    return (context_length - taken) // tokens_per_tile
