"""The keys by which the prefix cache knows that two prompts begin alike.

Each token has one. The tokens of a picture are all the same, so digests of its tiles stand for
them. The first one also has what keeps clients apart, the `cache_salt` of their requests, and the
LoRA adapter that answers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest_tile(tile: NDArray[Any]) -> bytes:
    """Return what is the same for equal tiles alone; of (3, tile_size, tile_size)."""
    return sha256(np.ascontiguousarray(tile).data).digest()


def build_prefix_keys(
    ids: Iterable[int],
    image_token_id: int,
    digests: Iterable[bytes],
    salt: str | None,
    adapter: str | None,
) -> list[Hashable]:
    """Return for each token what decides, with those before it, how it is read.

    Args:
        digests: for each image token the digest of its tile.
    """
    places = iter(digests)
    keys: list[Hashable] = [
        next(places, token) if token == image_token_id else token for token in ids
    ]
    return [(salt, adapter, keys[0]), *keys[1:]]
