"""Sampling: logits → the next token of each sequence, and logprobs.

Unlike in `model.generate`, each sequence has its own random numbers, so that a seed gives the same
tokens whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

from ...engine import SamplingParams, TokenOutput


class SamplerState:
    """What sampling knows of a sequence.

    Args:
        choice: which of the `n` sequences this is; each has a seed of its own.
        token_ids: of the prompt; what is generated is appended by their owner.
        stop_ids: those that end the sequence.
    """

    def __init__(
        self,
        sampling: SamplingParams,
        choice: int,
        token_ids: list[int],
        stop_ids: Collection[int],
        device: torch.device,
    ) -> None:
        self.choice, self.token_ids = choice, token_ids
        self.is_greedy, self.logprobs = sampling.temperature == 0, sampling.logprobs
        self.processors = _processors(sampling, len(token_ids), stop_ids, device)
        self.generator = torch.Generator(device=device)
        if sampling.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(sampling.seed + choice)

    def process(self, row: torch.Tensor) -> torch.Tensor:
        """(1, vocabulary) → the same, with penalties, temperature and cuts applied."""
        if not self.processors:
            return row
        ids = torch.tensor([self.token_ids], device=row.device)
        processed: torch.Tensor = self.processors(ids, row)
        return processed


def sample(
    logits: torch.Tensor, states: Sequence[SamplerState]
) -> list[TokenOutput | ArithmeticError]:
    """The next token of each sequence, by logits of (sequences, vocabulary).

    An error stands for a sequence whose logits are not all finite.
    """
    finite = logits.sum(dim=-1).isfinite()
    logits = logits.where(finite[:, None], 0.0)
    ids = _choose(logits, states)
    rows = zip(states, logits, ids, finite.tolist(), strict=True)
    return [
        _report(state, row, token) if valid else _not_finite() for state, row, token, valid in rows
    ]


def _not_finite() -> ArithmeticError:
    return ArithmeticError(
        "the model computed numbers that are not finite; launch it with --torch_dtype bfloat16 or "
        "float32, or download the weights again"
    )


def _choose(logits: torch.Tensor, states: Sequence[SamplerState]) -> list[int]:
    if any(state.processors for state in states):
        rows = zip(states, logits.split(1), strict=True)
        logits = torch.cat([state.process(row) for state, row in rows])
    ids = logits.argmax(dim=-1)
    for row, state in enumerate(states):
        if not state.is_greedy:
            probabilities = logits[row].softmax(dim=-1)
            ids[row] = torch.multinomial(probabilities, 1, generator=state.generator)
    return list(map(int, ids.tolist()))


def _report(state: SamplerState, logits: torch.Tensor, token: int) -> TokenOutput:
    """The token, with the logprobs that the model itself gives if they are asked for: those before
    penalties and temperature. `logits` is (vocabulary,)."""
    if state.logprobs is None:
        return TokenOutput(state.choice, token)
    logprobs = logits.log_softmax(-1)
    values, ids = logprobs.topk(min(state.logprobs, len(logprobs)))
    top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return TokenOutput(state.choice, token, float(logprobs[token]), top)


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


def _processors(
    sampling: SamplingParams, prompt_tokens: int, stop_ids: Collection[int], device: torch.device
) -> LogitsProcessorList:
    found = LogitsProcessorList()
    if sampling.min_tokens and stop_ids:
        found.append(
            MinNewTokensLengthLogitsProcessor(
                prompt_tokens, sampling.min_tokens, [*stop_ids], device=str(device)
            )
        )
    if sampling.repetition_penalty != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.presence_penalty or sampling.frequency_penalty:
        found.append(
            _OpenAIPenalties(sampling.presence_penalty, sampling.frequency_penalty, prompt_tokens)
        )
    if sampling.temperature > 0:
        found.append(TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_k > 0:
            found.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1.0:
            found.append(TopPLogitsWarper(sampling.top_p))
        if sampling.min_p > 0.0:
            found.append(MinPLogitsWarper(sampling.min_p))
    return found
