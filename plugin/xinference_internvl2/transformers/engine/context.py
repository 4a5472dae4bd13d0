"""The tokens of a prompt and its answer, and how far a language model has read them.

What a prompt has in common with an earlier one is not read again, pictures included: the next
question of a conversation takes the time of its own tokens.
"""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from ...checkpoint.rope import fixed_length

TILES_AT_ONCE = 3
"""Tiles that the vision tower looks at together: enough of them for its products of matrices, while
the memory that it needs does not grow with the number of images."""
_WORTH = 1 / 3
"""The part of a prompt that has to be known. The rest attends under a mask, without which it would
leave out half of the work."""


@dataclass(eq=False, slots=True)
class Context:
    """`ids` is (1, tokens). `keys` has for each token what decides, with those before it, how it is
    read. `prompt` is (1, prompt tokens, hidden size), the embedded prompt. `cache` holds the keys
    and values of as many tokens as have been read."""

    ids: torch.Tensor
    keys: list[Hashable]
    prompt: torch.Tensor
    cache: DynamicCache

    @property
    def tokens(self) -> int:
        return len(self.keys)

    @property
    def read(self) -> int:
        """How many of the tokens have been read."""
        return int(self.cache.get_seq_length())

    @property
    def is_whole(self) -> bool:
        """Whether the cache holds all that has been read; a sliding window loses what leaves it."""
        layers = self.cache.layers
        return all(x.is_initialized and x.keys.shape[-2] == self.read for x in layers)

    @property
    def answer(self) -> int:
        """How many of the tokens are not the prompt's."""
        return self.tokens - self.prompt.shape[1]

    def append(self, token: torch.Tensor) -> None:
        """Add the token in a tensor of (1, 1)."""
        self.ids = torch.cat([self.ids, token.to(self.ids.device)], dim=1)
        self.keys.append(int(token))

    def copy(self, read: int) -> Context:
        """A context of its own, of whose tokens the first `read` have been read."""
        # What is in a cache is never changed, only replaced.
        cache = copy(self.cache)
        cache.layers = [copy(layer) for layer in self.cache.layers]
        if read < self.read:
            cache.crop(read - self.read)
        return Context(self.ids, [*self.keys], self.prompt, cache)


def begun(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    salt: str | None,
    earlier: Context | None,
) -> Context:
    """Return the context of a prompt, with its images looked at that are not known.

    Args:
        input_ids: (1, tokens), with an image token for every feature of `pixel_values`.
        pixel_values: (tiles, 3, tile_size, tile_size), or None for a text prompt.
        salt: what an earlier context has to have been begun with to be of use.
        earlier: from which is taken what it has in common with the prompt.
    """
    tiles = [] if pixel_values is None else list(pixel_values)
    image, ids = model.config.image_token_id, input_ids[0].tolist()
    features = ids.count(image) // len(tiles) if tiles else 0
    keys = _keys(ids, image, tiles, features, salt)
    config = model.config.text_config
    if not (earlier and (known := _known(keys, earlier, config))):
        prompt = embedded(model, input_ids, pixel_values)
        return Context(input_ids, keys, prompt, DynamicCache(config=config))
    kept = earlier.prompt[:, :known]
    seen = ids[: kept.shape[1]].count(image) // features if features else 0
    unseen = pixel_values[seen:] if pixel_values is not None and seen < len(tiles) else None
    rest = embedded(model, input_ids[:, kept.shape[1] :], unseen)
    cache = earlier.copy(known).cache
    return Context(input_ids, keys, torch.cat([kept, rest], dim=1), cache)


def _keys(
    ids: list[int], image: int, tiles: list[torch.Tensor], features: int, salt: str | None
) -> list[Hashable]:
    places = (digest for digest in map(_digest, tiles) for _ in range(features))
    keys: list[Hashable] = [next(places, token) if token == image else token for token in ids]
    return [(salt, keys[0]), *keys[1:]]


def _digest(tile: torch.Tensor) -> bytes:
    return sha256(tile.contiguous().view(torch.uint8).numpy().data).digest()


def _known(keys: list[Hashable], earlier: Context, config: Any) -> int:
    """How many tokens of a prompt an earlier context has read as its own, if they are of use."""
    longest = max(len(keys), earlier.tokens)
    if longest > fixed_length(config.rope_parameters, config.max_position_embeddings):
        return 0
    # The last token is read in any case: what follows it is wanted.
    pairs = zip(keys[:-1], earlier.keys[: earlier.read], strict=False)
    known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return known if known >= _WORTH * len(keys) and earlier.is_whole else 0


def embedded(
    model: PreTrainedModel, ids: torch.Tensor, pixel_values: torch.Tensor | None = None
) -> torch.Tensor:
    """(1, tokens), (tiles, 3, tile_size, tile_size) → (1, tokens, hidden size)"""
    embeds: torch.Tensor = model.get_input_embeddings()(ids)
    if pixel_values is None:
        return embeds
    parts = (part.to(model.device, model.dtype) for part in pixel_values.split(TILES_AT_ONCE))
    features = torch.cat([model.get_image_features(part).pooler_output for part in parts])
    places = model.model.get_placeholder_mask(ids, embeds, features)
    return embeds.masked_scatter(places, features.to(embeds))
