"""The context length of a checkpoint, and how much of it a prompt leaves for the answer."""

from __future__ import annotations

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.rope import usable_length
from ..errors import RequestError

MAX_CHARACTERS_PER_TOKEN = 32


def trained_length(checkpoint: CheckpointConfig, context_length: int) -> int:
    """Return the length up to which a checkpoint can be used, in tokens.

    It is `context_length`, that of the family, or the language model's own where that is smaller
    and its position embedding does not scale.
    """
    llm = checkpoint.llm
    usable = usable_length(llm["rope_parameters"], llm["max_position_embeddings"])
    return int(min(context_length, usable))


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
