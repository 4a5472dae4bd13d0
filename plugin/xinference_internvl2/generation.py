"""Token by token generation with a transformers model, one answer at a time.

Unlike `model.generate`, an answer here has its own random numbers (so a seed means the same text
however many requests there are), can be stopped at any token, and reports failures to its caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

from .completion import Token
from .sampling import Sampling

TILES_AT_ONCE = 3
"""Tiles that the vision tower looks at together: enough of them for its products of matrices, while
the memory that it needs does not grow with the number of images."""


@torch.inference_mode()
def generate_tokens(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: Sampling,
    stop_ids: Sequence[int],
    choice: int = 0,
) -> Iterator[Token]:
    """Yield the tokens of an answer, without the one in `stop_ids` that ends it.

    Args:
        input_ids: (1, tokens), with an image token for every feature of `pixel_values`.
        pixel_values: (tiles, 3, tile_size, tile_size), or None for a text prompt.
        choice: which answer to the request this is; each has a seed of its own.
    """
    warpers = _warpers(sampling, input_ids.shape[1])
    generator = torch.Generator(device=input_ids.device)
    if sampling.seed is not None:
        generator.manual_seed(sampling.seed + choice)
    else:
        generator.seed()
    config = model.config.text_config
    switch = _rope_switch(config)
    ids, seen, cache = input_ids, 0, DynamicCache(config=config)
    for _ in range(sampling.max_tokens):
        if seen <= switch < ids.shape[1]:
            seen, cache = 0, DynamicCache(config=config)
        embeds = _embedded(model, ids[:, seen:], None if seen else pixel_values)
        step = model(inputs_embeds=embeds, past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits = step.logits[:, -1].float()
        seen = ids.shape[1]
        token = _choose(warpers(ids, logits), sampling.temperature, generator)
        if int(token) in stop_ids:
            return
        yield _reported(int(token), choice, logits, sampling.top_logprobs)
        ids = torch.cat([ids, token.to(ids.device)], dim=1)


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


def _rope_switch(config: Any) -> int:
    """The length beyond which all positions, earlier ones included, are encoded differently
    (LongRoPE of Phi-3), so that a cache from before it is of no use."""
    rope = config.rope_parameters
    if rope["rope_type"] != "longrope":
        return -1
    return int(rope["original_max_position_embeddings"])


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
