"""How much of the context length a prompt leaves for the answer, and for tiles."""

from __future__ import annotations

from ..errors import RequestError


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
