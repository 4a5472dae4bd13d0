"""What changes the logits of a sequence before a token is chosen, by its sampling parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from ...sampling_params import SamplingParams

_LIKELIEST = 1024


def build_processors(
    sampling: SamplingParams, prompt_tokens: int, stop_ids: Collection[int], device: torch.device
) -> LogitsProcessorList:
    """Return the processors of a sequence, in the order in which they apply.

    Args:
        stop_ids: tokens that end the sequence.
    """
    found = LogitsProcessorList()
    if sampling.allowed_token_ids:
        found.append(_AllowedTokens(sampling.allowed_token_ids))
    if sampling.bad_word_ids:
        found.append(_BadWords(sampling.bad_word_ids, prompt_tokens))
    if sampling.logit_bias:
        found.append(_LogitBias(sampling.logit_bias))
    if sampling.min_tokens and stop_ids:
        least = sampling.min_tokens
        found.append(
            MinNewTokensLengthLogitsProcessor(prompt_tokens, least, [*stop_ids], str(device))
        )
    if sampling.repetition_penalty != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.presence_penalty or sampling.frequency_penalty:
        found.append(
            _OpenAIPenalties(sampling.presence_penalty, sampling.frequency_penalty, prompt_tokens)
        )
    if sampling.temperature > 0:
        found += _build_filters(sampling)
    return found


def _build_filters(sampling: SamplingParams) -> LogitsProcessorList:
    """The temperature, and what leaves out unlikely tokens."""
    found = LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature)])
    if sampling.top_k > 0:
        found.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        found.append(_TopP(sampling.top_p))
    if sampling.min_p > 0.0:
        found.append(MinPLogitsWarper(sampling.min_p))
    return found


class _AllowedTokens(LogitsProcessor):
    """All other tokens are impossible."""

    def __init__(self, allowed: Collection[int]) -> None:
        self._allowed = torch.tensor(sorted(allowed))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(1, tokens), (1, vocabulary) → (1, vocabulary)"""
        allowed = self._allowed.to(scores.device)
        return torch.full_like(scores, -torch.inf).index_copy_(1, allowed, scores[:, allowed])


@dataclass(frozen=True, slots=True)
class _BadWords(LogitsProcessor):
    """The last token of a word is impossible where what is generated ends with the others."""

    words: Collection[tuple[int, ...]]
    prompt_tokens: int

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(1, tokens), (1, vocabulary) → (1, vocabulary)"""
        said = input_ids[0, self.prompt_tokens :].tolist()
        last = [word[-1] for word in self.words if _ends_with(said, word[:-1])]
        return scores.index_fill(1, torch.tensor(last, device=scores.device).long(), -torch.inf)


def _ends_with(said: list[int], tokens: tuple[int, ...]) -> bool:
    return said[len(said) - len(tokens) :] == [*tokens]


@dataclass(frozen=True, slots=True)
class _LogitBias(LogitsProcessor):
    """As in OpenAI's API."""

    bias: Mapping[int, float]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(1, tokens), (1, vocabulary) → (1, vocabulary)"""
        tokens = torch.tensor([*self.bias], device=scores.device)
        added = torch.tensor([[*self.bias.values()]], device=scores.device, dtype=scores.dtype)
        return scores.index_add(1, tokens, added)


@dataclass(frozen=True, slots=True)
class _OpenAIPenalties(LogitsProcessor):
    """As in OpenAI's API: they count what has been generated, and leave the prompt out."""

    presence: float
    frequency: float
    prompt_tokens: int

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(1, tokens), (1, vocabulary) → (1, vocabulary)"""
        counts = torch.bincount(input_ids[0, self.prompt_tokens :], minlength=scores.shape[-1])
        return scores - self.frequency * counts - self.presence * (counts > 0)


class _TopP(TopPLogitsWarper):
    """As in transformers, but without sorting a whole vocabulary where the likeliest tokens are
    enough: that takes a CPU a tenth of a decode step."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(1, tokens), (1, vocabulary) → (1, vocabulary)"""
        if scores.device.type == "cpu":
            logits, tokens = scores.topk(min(_LIKELIEST, scores.shape[-1]))
            probabilities = (logits - scores.logsumexp(dim=-1, keepdim=True)).exp()
            cumulative = probabilities.cumsum(dim=-1)
            if cumulative[0, -1] >= self.top_p:
                too_much = cumulative - probabilities >= self.top_p
                rest = torch.full_like(scores, -torch.inf)
                return rest.scatter(1, tokens, logits.masked_fill(too_much, -torch.inf))
        processed: torch.Tensor = super().__call__(input_ids, scores)
        return processed
