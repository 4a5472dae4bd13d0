"""The context length: what of it a prompt takes, and what is left for an answer."""

from __future__ import annotations

from ..errors import RequestError

MAX_CHARACTERS_PER_TOKEN = 32


def check_characters(characters: int, context_length: int) -> None:
    """Refuse a text that is too long to be worth counting its tokens.

    Raises:
        RequestError: it has more characters than any text of `context_length` tokens.
    """
    if characters > MAX_CHARACTERS_PER_TOKEN * context_length:
        raise RequestError(
            f"the prompt has {characters} characters, far more than the context length of "
            f"{context_length} tokens can hold; send less text"
        )


def count_room(prompt_tokens: int, context_length: int) -> int:
    """Return how many tokens the answer may have at most.

    Raises:
        RequestError: there is no room for one.
    """
    if prompt_tokens >= context_length:
        raise RequestError(
            f"the prompt has {prompt_tokens} tokens, but the context length is "
            f"{context_length}; send less text or fewer images"
        )
    return context_length - prompt_tokens
