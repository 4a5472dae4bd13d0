"""Token by token generation with a transformers model, of several answers as one batch.

Unlike those of `model.generate`, answers begin and end at any time, and each has its own random
numbers, so a seed means the same text however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from .attention import Caches
from .completion import End, Token
from .sampling import Sampling

TILES_AT_ONCE = 3
"""Tiles that the vision tower looks at together: enough of them for its products of matrices, while
the memory that it needs does not grow with the number of images."""


class Answer:
    """An answer that is being written with `write`.

    Args:
        ids: (1, tokens) of the prompt.
        prompt: (1, tokens, hidden size), what the language model reads of it.
        stop_ids: tokens that end the answer, and are no part of it.
        choice: which answer to the request this is; each has a seed of its own.
    """

    def __init__(
        self,
        ids: torch.Tensor,
        prompt: torch.Tensor,
        sampling: Sampling,
        stop_ids: Sequence[int],
        choice: int,
    ) -> None:
        self.ids, self.prompt = ids, prompt
        self.cache: DynamicCache | None = None
        self._sampling, self._stop_ids, self._choice = sampling, stop_ids, choice
        self._warpers = _warpers(sampling, ids.shape[1])
        self._generator = torch.Generator(device=ids.device)
        if sampling.seed is not None:
            self._generator.manual_seed(sampling.seed + choice)
        else:
            self._generator.seed()

    @property
    def tokens(self) -> int:
        """The tokens of the prompt, and of the answer so far."""
        return self.ids.shape[1]

    def append(self, logits: torch.Tensor) -> list[Token | End]:
        """Choose the next token by (1, vocabulary) and return it, and the end if it is the last."""
        sampling = self._sampling
        token = _choose(self._warpers(self.ids, logits), sampling.temperature, self._generator)
        if int(token) in self._stop_ids:
            return [End(self._choice, "stop")]
        self.ids = torch.cat([self.ids, token.to(self.ids.device)], dim=1)
        written = _reported(int(token), self._choice, logits, sampling.top_logprobs)
        if self.tokens - self.prompt.shape[1] < sampling.max_tokens:
            return [written]
        return [written, End(self._choice, "length")]


@torch.inference_mode()
def begin(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: Sampling,
    stop_ids: Sequence[int],
) -> list[Answer]:
    """Look at the images of a request and return its answers, as many as it has `choices`.

    Args:
        input_ids: (1, tokens), with an image token for every feature of `pixel_values`.
        pixel_values: (tiles, 3, tile_size, tile_size), or None for a text prompt.
        stop_ids: tokens that end an answer.
    """
    prompt = _embedded(model, input_ids, pixel_values)
    choices = range(sampling.choices)
    return [Answer(input_ids, prompt, sampling, stop_ids, choice) for choice in choices]


def groups(model: PreTrainedModel, answers: Iterable[Answer]) -> list[list[Answer]]:
    """Return the answers that `write` can write at once: those whose prompts have been read, if
    their positions do not depend on their length, and those that have yet to read the same prompt.
    """
    limit = _limit(model.config.text_config)
    found: dict[object, list[Answer]] = {}
    for answer in answers:
        if answer.cache is None:
            key: object = id(answer.prompt)
        else:
            key = answer if answer.tokens > limit else "together"
        found.setdefault(key, []).append(answer)
    return list(found.values())


@torch.inference_mode()
def write(model: PreTrainedModel, answers: Sequence[Answer]) -> list[list[Token | End]]:
    """Write a token of each of the answers, which are one of `groups`.

    Returns:
        For each of them its token, its end, or both.
    """
    read = _read if _is_unread(model, answers[0]) else _go_on
    logits = read(model, answers)
    return [answer.append(row) for answer, row in zip(answers, logits.split(1), strict=True)]


def _is_unread(model: PreTrainedModel, answer: Answer) -> bool:
    """Beyond the limit of LongRoPE (Phi-3) all positions, earlier ones included, are encoded
    differently, so that a cache from before it is of no use."""
    config = model.config.text_config
    crossed = answer.tokens == _limit(config) + 1
    return answer.cache is None or (config.rope_parameters["rope_type"] == "longrope" and crossed)


def _read(model: PreTrainedModel, answers: Sequence[Answer]) -> torch.Tensor:
    """Read a whole answer, or the prompt of several: (answers, vocabulary)"""
    first = answers[0]
    written = first.ids[:, first.prompt.shape[1] :]
    embeds = torch.cat([first.prompt, _embedded(model, written, None)], dim=1)
    cache = DynamicCache(config=model.config.text_config)
    logits = _logits(model, inputs_embeds=embeds, past_key_values=cache)
    for answer in answers:
        # What is in a cache is never changed, only replaced.
        answer.cache = copy(cache)
        answer.cache.layers = [copy(layer) for layer in cache.layers]
    return logits.expand(len(answers), -1)


def _go_on(model: PreTrainedModel, answers: Sequence[Answer]) -> torch.Tensor:
    """Read the last token of each answer: (answers, vocabulary)"""
    caches = [answer.cache for answer in answers]
    positions = [[answer.tokens - 1] for answer in answers]
    return _logits(
        model,
        input_ids=torch.cat([answer.ids[:, -1:] for answer in answers]),
        position_ids=torch.tensor(positions, device=answers[0].ids.device),
        past_key_values=caches[0] if len(caches) == 1 else Caches(caches),
    )


def _logits(model: PreTrainedModel, **inputs: Any) -> torch.Tensor:
    step = model(**inputs, use_cache=True, logits_to_keep=1)
    if model.config.text_config.rope_parameters["rope_type"] == "dynamic":
        _forget_length(model.model.language_model.rotary_emb)
    logits: torch.Tensor = step.logits[:, -1].float()
    return logits


def _forget_length(rotary: Any) -> None:
    """transformers would encode the positions of the next answer for the length of this one."""
    rotary.inv_freq = rotary.original_inv_freq
    rotary.max_seq_len_cached = rotary.original_max_seq_len


def _embedded(
    model: PreTrainedModel, ids: torch.Tensor, pixel_values: torch.Tensor | None
) -> torch.Tensor:
    """(1, tokens), (tiles, 3, tile_size, tile_size) → (1, tokens, hidden size)"""
    embeds: torch.Tensor = model.get_input_embeddings()(ids)
    if pixel_values is None:
        return embeds
    parts = pixel_values.split(TILES_AT_ONCE)
    features = torch.cat([model.get_image_features(part).pooler_output for part in parts])
    places = model.model.get_placeholder_mask(ids, embeds, features)
    return embeds.masked_scatter(places, features.to(embeds))


def _limit(config: Any) -> float:
    """The length up to which positions are encoded alike whatever the length is."""
    kind = config.rope_parameters["rope_type"]
    if kind == "longrope":
        return int(config.rope_parameters["original_max_position_embeddings"])
    return int(config.max_position_embeddings) if kind == "dynamic" else math.inf


@dataclass(frozen=True, slots=True)
class _OpenAIPenalties(LogitsProcessor):
    """Presence and frequency penalties, as OpenAI defines them: the tokens of the answer count,
    those of the prompt do not."""

    presence: float
    frequency: float
    prompt_tokens: int

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(1, tokens), (1, vocabulary) → (1, vocabulary)"""
        counts = torch.bincount(input_ids[0, self.prompt_tokens :], minlength=scores.shape[-1])
        return scores - self.frequency * counts - self.presence * (counts > 0)


def _warpers(sampling: Sampling, prompt_tokens: int) -> LogitsProcessorList:
    warpers = LogitsProcessorList()
    if sampling.repetition_penalty != 1.0:
        warpers.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.presence_penalty or sampling.frequency_penalty:
        warpers.append(
            _OpenAIPenalties(sampling.presence_penalty, sampling.frequency_penalty, prompt_tokens)
        )
    if sampling.temperature > 0:
        warpers.append(TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_k > 0:
            warpers.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1.0:
            warpers.append(TopPLogitsWarper(sampling.top_p))
    return warpers


def _choose(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    """(1, vocabulary) → (1, 1)"""
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)


def _reported(token: int, choice: int, logits: torch.Tensor, count: int | None) -> Token:
    """The token with the logprobs that the model itself gives, before penalties and temperature."""
    if count is None:
        return Token(choice, token)
    logprobs = logits[0].log_softmax(-1)
    values, ids = logprobs.topk(min(count, len(logprobs)))
    top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return Token(choice, token, float(logprobs[token]), top)
