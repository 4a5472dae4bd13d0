"""The steps of a model: look at pictures, read a chunk of a prompt, decode a token of sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from functools import partial
from itertools import accumulate

import numpy as np
import torch
from transformers import PreTrainedModel

from ..model import language_model
from ..model.lora_layers import use_adapter
from . import position_encoding
from .kv_cache import KVCacheBatch, KVCachePool
from .scheduler import next_chunk
from .sequence import Prompt, Sequence

TILES_AT_ONCE = 2
"""Tiles that the vision tower looks at in one step, which take it as long as a chunk of text."""


ToPixels = Callable[[torch.Tensor], torch.Tensor]


class ModelRunner:
    """Computes the steps of a model, and has the KV caches of its sequences.

    Args:
        to_pixels: the tiles of prompts, (tiles, 3, tile_size, tile_size) on the model's device, as
            the model wants them.
    """

    def __init__(self, model: PreTrainedModel, to_pixels: ToPixels = torch.as_tensor) -> None:
        self.model, self._to_pixels = model, to_pixels
        config = model.config.text_config
        rope_arguments = config.rope_parameters, config.max_position_embeddings
        self.encoding = partial(position_encoding.encoding, *rope_arguments)
        self.switches = partial(position_encoding.switches, *rope_arguments)
        self.fixed_length = position_encoding.fixed_length(*rope_arguments)
        self.pool = KVCachePool(config, model.dtype)

    @torch.inference_mode()
    def prefill(self, sequences: Many[Sequence]) -> list[tuple[Sequence, torch.Tensor]]:
        """Read the next chunk of each sequence, or look at the next tiles of it. The chunk of one
        that is being decoded is its last token.

        Returns:
            The sequences of which all is read, and the logits after their last tokens, each
            (1, vocabulary).
        """
        chunks = {}
        for sequence in sequences:
            chunk = next_chunk(sequence)
            if not self._encode_next_tiles(sequence, chunk.start, chunk.stop):
                chunks[sequence] = chunk
        if not chunks:
            return []
        embeds = [self._embed(one, chunk.start, chunk.stop) for one, chunk in chunks.items()]
        read = [one for one, chunk in chunks.items() if chunk.stop == one.tokens]
        logits = self._forward(chunks, torch.cat(embeds, dim=1), read)
        for sequence in read:
            if not sequence.may_restart(self.fixed_length):
                sequence.request.prompt.free()
        return [*zip(read, logits[:, None], strict=True)]

    @torch.inference_mode()
    def decode(self, sequences: Many[Sequence]) -> torch.Tensor:
        """Read the last token of each sequence: (sequences, vocabulary)"""
        ids = [[sequence.token_ids[-1] for sequence in sequences]]
        embeds = self.model.get_input_embeddings()(torch.tensor(ids, device=self.model.device))
        chunks = {one: range(one.read, one.read + 1) for one in sequences}
        return self._forward(chunks, embeds, sequences)

    def _forward(
        self, chunks: Mapping[Sequence, range], embeds: torch.Tensor, wanted: Many[Sequence]
    ) -> torch.Tensor:
        """Read the next positions of sequences, whose embeddings are (1, positions, hidden size),
        and return the logits after the last ones of those `wanted`, (wanted, vocabulary)."""
        use_adapter(self.model, next(iter(chunks)).request.prompt.adapter)
        last = dict(zip(chunks, accumulate(map(len, chunks.values())), strict=True))
        for sequence, chunk in chunks.items():
            sequence.kv = sequence.kv or self.pool.allocate(sequence.capacity)
            sequence.kv.grow(chunk.stop)
        caches = KVCacheBatch([one.kv for one in chunks if one.kv], [*map(len, chunks.values())])
        tokens = max(sequence.tokens for sequence in chunks)
        rows = [last[one] - 1 for one in wanted]
        logits = language_model.forward(
            self.model, embeds, [*chunks.values()], tokens, caches, rows
        )
        for cache, chunk in zip(caches.caches, chunks.values(), strict=True):
            cache.length = chunk.stop
        return logits

    def _encode_next_tiles(self, sequence: Sequence, start: int, stop: int) -> bool:
        """Look at the next tiles of a chunk of a prompt; False if there are none."""
        prompt = sequence.request.prompt
        tiles = self._tiles(prompt, start, stop)
        unseen = [tile for tile in tiles if tile not in prompt.features][:TILES_AT_ONCE]
        if unseen:
            use_adapter(self.model, prompt.adapter)
            self._encode_tiles(prompt, unseen)
        return bool(unseen)

    def _tiles(self, prompt: Prompt, start: int, stop: int) -> range:
        """The tiles whose features stand between two positions of a prompt."""
        if start >= len(prompt.ids):
            return range(0)
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
