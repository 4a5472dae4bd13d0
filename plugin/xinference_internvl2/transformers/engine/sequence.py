"""A request to the engine and its sequences: a prompt, and the tokens generated after it."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from enum import Enum, auto
from typing import Any

import torch
from numpy.typing import NDArray

from ...engine_outputs import FinishOutput, TokenOutput
from ...sampling_params import SamplingParams
from .grammar_constraint import Constraint
from .kv_cache import INITIAL_ROOM, KVCache
from .prefix_keys import build_prefix_keys, digest_tile
from .sampler import SamplerState


class Status(Enum):
    """Where a sequence stands. The engine's thread alone changes it."""

    WAITING = auto()
    """Nothing is read yet; or another sequence of the request reads the prompt for it."""
    PREFILL = auto()
    """Its tokens are being read, in chunks."""
    RUNNING = auto()
    """Each decode step adds a token."""
    FINISHED = auto()
    ABORTED = auto()


class Prompt:
    """The tokens and pictures of a prompt, ready for the model.

    Args:
        ids: with an image token for every feature of the tiles.
        tiles: each (3, tile_size, tile_size); let go of once they have been read.
        salt: only prompts of the same salt share what has been read of them.
        adapter: the LoRA adapter that answers, or None for the model as it is.
    """

    def __init__(
        self,
        ids: list[int],
        tiles: Collection[NDArray[Any]] = (),
        salt: str | None = None,
        adapter: str | None = None,
    ) -> None:
        self.ids, self.salt, self.adapter = ids, salt, adapter
        self.tiles = list(tiles)
        self.features: dict[int, torch.Tensor] = {}
        self._digests = [digest_tile(tile) for tile in tiles]

    @property
    def has_pictures(self) -> bool:
        return bool(self._digests)

    def features_per_tile(self, image_token_id: int) -> int:
        return self.ids.count(image_token_id) // len(self._digests) if self._digests else 0

    def keys(self, image_token_id: int) -> list[Hashable]:
        """For each token what decides, with those before it, how it is read."""
        count = self.features_per_tile(image_token_id)
        digests = [digest for digest in self._digests for _ in range(count)]
        return build_prefix_keys(self.ids, image_token_id, digests, self.salt, self.adapter)

    def free(self) -> None:
        """Let go of the pictures."""
        self.tiles.clear()
        self.features.clear()


class Sequence:
    """One of the answers to a request: the prompt's tokens and those generated after them.

    `keys` has for each token what decides, with the keys before it, how it is read.
    """

    def __init__(self, request: Request, choice: int, keys: list[Hashable]) -> None:
        self.request, self.keys = request, keys
        self.token_ids = [*request.prompt.ids]
        self.sampler = SamplerState(
            *(request.sampling, choice, self.token_ids, request.stop_ids, request.device),
            request.constraint,
        )
        self.status = Status.WAITING
        self.kv: KVCache | None = None

    @property
    def tokens(self) -> int:
        return len(self.token_ids)

    @property
    def read(self) -> int:
        """How many of the tokens have been read."""
        return self.kv.length if self.kv else 0

    @property
    def has_begun(self) -> bool:
        """Whether a token has been generated."""
        return self.tokens > len(self.request.prompt.ids)

    @property
    def capacity(self) -> int:
        """Tokens for which its cache has room at first."""
        return self.tokens + min(self.request.sampling.max_tokens, INITIAL_ROOM)

    @property
    def most_tokens(self) -> int:
        """How many tokens it may come to."""
        return len(self.request.prompt.ids) + self.request.sampling.max_tokens

    @property
    def is_over(self) -> bool:
        return self.status in (Status.FINISHED, Status.ABORTED)

    def accept(self, token: TokenOutput) -> list[TokenOutput | FinishOutput]:
        """Append a sampled token; return it, and the end of the sequence if this is it."""
        request = self.request
        if token.id in request.stop_ids:
            self.status = Status.FINISHED
            return [FinishOutput(token.choice, "stop", token.id)]
        self.token_ids.append(token.id)
        self.keys.append(token.id)
        if self.tokens < self.most_tokens:
            return [token]
        self.status = Status.FINISHED
        return [token, FinishOutput(token.choice, "length")]

    def may_restart(self, fixed_length: float) -> bool:
        """Whether it may outgrow `fixed_length`, up to which positions are encoded alike: then all
        tokens are read again, pictures included."""
        return self.tokens <= fixed_length < self.most_tokens

    def restart(self) -> None:
        """Let all tokens be read again."""
        assert self.kv is not None
        self.kv.length = 0
        self.status = Status.PREFILL

    def free(self) -> None:
        """Free the cache, if there is one."""
        if self.kv:
            self.kv.free()
            self.kv = None


class Request:
    """A prompt and its `n` sequences, on the way to a reader who wants `wanted` more tokens.

    Args:
        stop_ids: tokens that end a sequence, and are no part of it.
        image_token_id: the token in whose places the features of the tiles stand.
        device: where the logits are.
        constraint: what every sequence is held to.
        name: by which a client may abort it.
    """

    def __init__(
        self,
        prompt: Prompt,
        sampling: SamplingParams,
        stop_ids: Collection[int],
        image_token_id: int,
        device: torch.device,
        constraint: Constraint | None = None,
        name: str | None = None,
    ) -> None:
        self.prompt, self.sampling = prompt, sampling
        self.stop_ids, self.device = frozenset(stop_ids), device
        self.constraint, self.name = constraint, name
        self.wanted = 0
        self.cached_tokens = 0
        keys = prompt.keys(image_token_id)
        self.sequences = [Sequence(self, choice, [*keys]) for choice in range(sampling.n)]

    @property
    def unfinished(self) -> list[Sequence]:
        return [sequence for sequence in self.sequences if not sequence.is_over]

    @property
    def most_tokens(self) -> int:
        """How many tokens its sequences may come to together."""
        return self.sampling.n * self.sequences[0].most_tokens
