"""The steps of a model: look at pictures, read a piece of a prompt, decode a token of sequences."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many
from functools import partial

import numpy as np
import torch
from transformers import PreTrainedModel

from ...checkpoint import rope
from ..model import decoder
from ..model.lora import use_adapter
from .kv_cache import KVCacheBatch, KVCachePool
from .sequence import Prompt, Sequence

PIECE = 512
"""Tokens of a prompt that are read in one step: enough of them for products of matrices to be
fast, and few enough for running sequences not to wait long."""
TILES = 2
"""Tiles that the vision tower looks at in one step, for the same reasons."""


ToPixels = Callable[[torch.Tensor], torch.Tensor]


class ModelRunner:
    """Has a model and the caches of its sequences.

    Args:
        to_pixels: the tiles of prompts, (tiles, 3, tile_size, tile_size) on the model's device, as
            the model wants them.
    """

    def __init__(self, model: PreTrainedModel, to_pixels: ToPixels = torch.as_tensor) -> None:
        self.model, self._to_pixels = model, to_pixels
        config = model.config.text_config
        how = config.rope_parameters, config.max_position_embeddings
        self.encoding, self.switches = partial(rope.encoding, *how), partial(rope.switches, *how)
        self.fixed_length = rope.fixed_length(*how)
        self.pool = KVCachePool(config, model.dtype)

    @torch.inference_mode()
    def prefill(self, sequence: Sequence) -> torch.Tensor | None:
        """Take the next step of reading the tokens of a sequence.

        Returns:
            The logits after the last token, (1, vocabulary), or None if there is more to read.
        """
        prompt = sequence.request.prompt
        use_adapter(self.model, prompt.adapter)
        if sequence.kv is None:
            sequence.kv = self.pool.allocate(sequence.capacity)
        start = sequence.read
        stop = min(start + PIECE, sequence.tokens)
        if unseen := [
            tile for tile in self._tiles(prompt, start, stop) if tile not in prompt.features
        ]:
            self._encode_tiles(prompt, unseen[:TILES])
            return None
        embeds = self._embed(sequence, start, stop)
        sequence.kv.grow(stop)
        batch = KVCacheBatch([sequence.kv])
        logits = decoder.forward(self.model, embeds, [start], sequence.tokens, batch)
        sequence.kv.length = stop
        if stop < sequence.tokens:
            return None
        most = len(prompt.ids) + sequence.request.sampling.max_tokens
        if not sequence.tokens <= self.fixed_length < most:
            prompt.free()  # else all may have to be read once more, for positions encoded anew
        return logits

    @torch.inference_mode()
    def decode(self, sequences: Many[Sequence]) -> torch.Tensor:
        """Read the last token of each sequence: (sequences, vocabulary)"""
        use_adapter(self.model, sequences[0].request.prompt.adapter)
        caches = [sequence.kv for sequence in sequences if sequence.kv]
        for cache in caches:
            cache.grow(cache.length + 1)
        embedding = self.model.get_input_embeddings()
        ids = [[sequence.token_ids[-1]] for sequence in sequences]
        embeds = embedding(torch.tensor(ids, device=self.model.device))
        tokens = max(sequence.tokens for sequence in sequences)
        starts = [cache.length for cache in caches]
        logits = decoder.forward(self.model, embeds, starts, tokens, KVCacheBatch(caches))
        for cache in caches:
            cache.length += 1
        return logits

    def _tiles(self, prompt: Prompt, start: int, stop: int) -> range:
        """The tiles whose features stand between two positions of a prompt."""
        image = self.model.config.image_token_id
        per_tile = prompt.features_per_tile(image)
        before, here = prompt.ids[:start].count(image), prompt.ids[start:stop].count(image)
        if not per_tile or not here:
            return range(0)
        return range(before // per_tile, (before + here - 1) // per_tile + 1)

    def _encode_tiles(self, prompt: Prompt, tiles: Many[int]) -> None:
        stacked = torch.from_numpy(np.stack([prompt.tiles[tile] for tile in tiles]))
        pixels = self._to_pixels(stacked.to(self.model.device)).to(self.model.dtype)
        features = self.model.get_image_features(pixels).pooler_output
        prompt.features.update(zip(tiles, features, strict=True))

    def _embed(self, sequence: Sequence, start: int, stop: int) -> torch.Tensor:
        """(1, stop - start, hidden size)"""
        prompt, image = sequence.request.prompt, self.model.config.image_token_id
        ids = torch.tensor([sequence.token_ids[start:stop]], device=self.model.device)
        embeds: torch.Tensor = self.model.get_input_embeddings()(ids)
        tiles = self._tiles(prompt, start, stop)
        if not tiles:
            return embeds
        features = torch.cat([prompt.features[tile] for tile in tiles])
        skipped = prompt.ids[:start].count(image) % prompt.features_per_tile(image)
        places = torch.zeros_like(ids, dtype=torch.bool)
        # Beyond the prompt, the token stands for itself.
        within = len(prompt.ids) - start
        places[:, :within] = ids[:, :within] == image
        return embeds.masked_scatter(places[..., None], features[skipped:].to(embeds))
