"""Token by token generation with a transformers model, of several answers as one batch.

Unlike those of `model.generate`, answers begin and end at any time, and each has its own random
numbers, so that a seed gives the same ones however many answers there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

from ...checkpoint.rope import encoding, grows, switches
from ...engine import FinishOutput, SamplingParams, TokenOutput
from ..model.attention import Caches
from .context import Context, begun, embedded

Event = TokenOutput | FinishOutput | ArithmeticError
"""What is written of an answer: a token, its end, or why it has no more tokens."""


class Answer:
    """An answer that is being written with `write`.

    Args:
        stop_ids: tokens that end the answer, and are no part of it.
        choice: which answer to the request this is; each has a seed of its own.
    """

    def __init__(
        self, context: Context, sampling: SamplingParams, stop_ids: Sequence[int], choice: int
    ) -> None:
        self.context = context
        self._sampling, self._stop_ids, self._choice = sampling, stop_ids, choice
        self._warpers = _warpers(sampling, context.tokens)
        self._generator = torch.Generator(device=context.ids.device)
        if sampling.seed is not None:
            self._generator.manual_seed(sampling.seed + choice)
        else:
            self._generator.seed()

    def append(self, logits: torch.Tensor) -> list[Event]:
        """Choose the next token by (1, vocabulary) and return it, and the end if it is the last."""
        sampling, context = self._sampling, self.context
        logits = logits.to(context.ids.device)
        scores = self._warpers(context.ids, logits)
        token = _choose(scores, sampling.temperature, self._generator)
        if int(token) in self._stop_ids:
            return [FinishOutput(self._choice, "stop")]
        context.append(token)
        written = _reported(int(token), self._choice, logits, sampling.logprobs)
        if context.answer < sampling.max_tokens:
            return [written]
        return [written, FinishOutput(self._choice, "length")]


@torch.inference_mode()
def begin(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: SamplingParams,
    stop_ids: Sequence[int],
    *,
    salt: str | None = None,
    earlier: Context | None = None,
) -> list[Answer]:
    """Look at the images of a request and return its answers, as many as it has `choices`.

    Args:
        input_ids: (1, tokens), with an image token for every feature of `pixel_values`.
        pixel_values: (tiles, 3, tile_size, tile_size), or None for a text prompt.
        stop_ids: tokens that end an answer.
        earlier: a context of the same `salt` is not read again where it is the same.
    """
    context = begun(model, input_ids, pixel_values, salt, earlier)
    contexts = [context.copy(context.read) for _ in range(sampling.n)]
    return [Answer(one, sampling, stop_ids, choice) for choice, one in enumerate(contexts)]


def groups(model: PreTrainedModel, answers: Iterable[Answer]) -> list[list[Answer]]:
    """Return the answers that `write` can write at once: those that have one token to read, if
    their positions are encoded alike, and those that have yet to read the same prompt."""
    found: dict[object, list[Answer]] = {}
    for answer in answers:
        context = answer.context
        if context.answer == 0:
            key: object = id(context.prompt)
        else:
            key = _encoding(model.config.text_config, context) or answer
        found.setdefault(key, []).append(answer)
    return list(found.values())


@torch.inference_mode()
def write(model: PreTrainedModel, answers: Sequence[Answer]) -> list[list[Event]]:
    """Write a token of each of the answers, which are one of `groups`.

    Returns:
        For each of them its token, its end, or both, or an error.
    """
    contexts = [answer.context for answer in answers]
    first = contexts[0]
    if first.answer == 0 or _switches(model.config.text_config, first):
        logits = _read(model, contexts)
    else:
        logits = _go_on(model, contexts)
    rows = zip(answers, logits.split(1), logits.isfinite().all(dim=-1).tolist(), strict=True)
    return [answer.append(row) if finite else [_not_finite()] for answer, row, finite in rows]


def _not_finite() -> ArithmeticError:
    return ArithmeticError(
        "the model computed numbers that are not finite; launch it with --torch_dtype bfloat16 or "
        "float32, or download the weights again"
    )


def _encoding(config: Any, context: Context) -> str | None:
    """How positions are encoded, or None if in a way that no other context has."""
    if _switches(config, context):
        return None
    return encoding(config.rope_parameters, config.max_position_embeddings, context.tokens)


def _switches(config: Any, context: Context) -> bool:
    """Beyond the limit of LongRoPE (Phi-3) all positions, earlier ones included, are encoded
    differently, so that a cache from before it is of no use."""
    return switches(config.rope_parameters, config.max_position_embeddings, context.tokens)


def _read(model: PreTrainedModel, contexts: Sequence[Context]) -> torch.Tensor:
    """Read what is left of a prompt, for all its contexts, or all of one: (contexts, vocabulary)"""
    first = contexts[0]
    if first.answer == 0:
        cache, embeds = first.cache, first.prompt[:, first.read :]
    else:
        cache = DynamicCache(config=model.config.text_config)
        answer = embedded(model, first.ids[:, first.prompt.shape[1] :])
        embeds = torch.cat([first.prompt, answer], dim=1)
    logits = _logits(model, inputs_embeds=embeds, past_key_values=cache)
    first.cache = cache
    for other in contexts[1:]:
        other.cache = first.copy(first.read).cache
    return logits.expand(len(contexts), -1)


def _go_on(model: PreTrainedModel, contexts: Sequence[Context]) -> torch.Tensor:
    """Read the last token of each context: (contexts, vocabulary)"""
    caches = [context.cache for context in contexts]
    positions = [[context.tokens - 1] for context in contexts]
    return _logits(
        model,
        input_ids=torch.cat([context.ids[:, -1:] for context in contexts]),
        position_ids=torch.tensor(positions, device=contexts[0].ids.device),
        past_key_values=caches[0] if len(caches) == 1 else Caches(caches),
    )


def _logits(model: PreTrainedModel, **inputs: Any) -> torch.Tensor:
    if grows(model.config.text_config.rope_parameters):
        _forget_length(model.model.language_model.rotary_emb)
    step = model(**inputs, use_cache=True, logits_to_keep=1)
    logits: torch.Tensor = step.logits[:, -1].float()
    return logits


def _forget_length(rotary: Any) -> None:
    """transformers would encode positions for the length of the answer before, if that is more."""
    rotary.inv_freq = rotary.original_inv_freq
    rotary.max_seq_len_cached = rotary.original_max_seq_len


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


def _warpers(sampling: SamplingParams, prompt_tokens: int) -> LogitsProcessorList:
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


def _reported(token: int, choice: int, logits: torch.Tensor, count: int | None) -> TokenOutput:
    """The token with the logprobs that the model itself gives, before penalties and temperature."""
    if count is None:
        return TokenOutput(choice, token)
    logprobs = logits[0].log_softmax(-1)
    values, ids = logprobs.topk(min(count, len(logprobs)))
    top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return TokenOutput(choice, token, float(logprobs[token]), top)
