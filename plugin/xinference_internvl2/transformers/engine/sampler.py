"""Sampling: logits → the next token of each sequence, and logprobs.

All sequences are sampled at once, and their tokens leave the device together, as each transfer
waits for it. Unlike in `model.generate`, each sequence has its own random numbers, so that a seed
gives the same tokens whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from ...engine_outputs import TokenOutput
from ...errors import RequestError
from ...sampling_params import SamplingParams
from .grammar_constraint import Constraint
from .logits_processors import build_processors
from .seeds import make_generator

NO_TOKEN = (
    "the options of the request leave no token that may come next; loosen allowed_token_ids, "
    "bad_words, or the form of the answer"
)
NOT_FINITE = (
    "the model computed numbers that are not finite; launch it with --torch_dtype bfloat16 or "
    "float32, or download the weights again"
)


class SamplerState:
    """What sampling knows of a sequence.

    Args:
        choice: which of the `n` sequences this is; each has a seed of its own.
        token_ids: of the prompt; what is generated is appended by their owner.
        stop_ids: those that end the sequence.
        device: where the logits are.
        constraint: what the sequence is held to; of each a copy of its own.
    """

    def __init__(
        self,
        sampling: SamplingParams,
        choice: int,
        token_ids: list[int],
        stop_ids: Collection[int],
        device: torch.device,
        constraint: Constraint | None = None,
    ) -> None:
        self.choice, self.token_ids = choice, token_ids
        self.is_greedy, self.logprobs = sampling.temperature == 0, sampling.logprobs
        self.constraint = constraint.copy() if constraint else None
        self.processors = build_processors(sampling, len(token_ids), stop_ids, device)
        self._generator = make_generator(sampling.seed, choice)

    def process(self, row: torch.Tensor) -> torch.Tensor:
        """(1, vocabulary) → the same, with penalties, temperature and cuts applied."""
        if not self.processors:
            return row
        ids = torch.tensor([self.token_ids], device=row.device)
        processed: torch.Tensor = self.processors(ids, row)
        return processed

    def draw(self) -> float:
        """The next random number of the sequence, from 0 up to but not including 1."""
        return torch.rand((), generator=self._generator).item()


def sample(logits: torch.Tensor, states: Sequence[SamplerState]) -> list[TokenOutput | Exception]:
    """The next token of each sequence, by logits of (sequences, vocabulary).

    An error stands for a sequence whose logits are not all finite, or whose options cannot be
    kept.
    """
    allowed, errors = _constrain(logits, states)
    processed = allowed
    if any(state.processors for state in states):
        rows = zip(states, allowed.split(1), strict=True)
        processed = torch.cat([state.process(row) for state, row in rows])
    highest, tokens = processed.max(dim=-1)
    if not all(state.is_greedy for state in states):
        greedy = torch.tensor([state.is_greedy for state in states], device=logits.device)
        points = torch.tensor([0.0 if state.is_greedy else state.draw() for state in states])
        tokens = tokens.where(greedy, choose(processed, points.to(logits.device)))
    finite = logits.sum(dim=-1).isfinite()
    found = torch.stack([tokens, finite.long(), highest.isneginf().long()]).tolist()
    return [
        errors.get(state) or _build_output(state, row, *result)
        for state, row, *result in zip(states, allowed, *found, strict=True)
    ]


def choose(logits: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Return the tokens, (sequences,), at points of the cumulative probabilities.

    Args:
        logits: (sequences, vocabulary).
        points: (sequences,), from 0 up to but not including 1.
    """
    probabilities = logits.softmax(dim=-1)
    cumulative = probabilities.cumsum(dim=-1)
    within = points[:, None] * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, within, right=True).clamp(max=logits.shape[-1] - 1)
    # Rounding may lead to a token that is impossible.
    possible = probabilities.gather(1, tokens) > 0
    return tokens.where(possible, probabilities.argmax(dim=-1, keepdim=True))[:, 0]


def _constrain(
    logits: torch.Tensor, states: Sequence[SamplerState]
) -> tuple[torch.Tensor, dict[SamplerState, RequestError]]:
    """The logits, with minus infinity for what the sequences' constraints forbid, and the errors
    of those whose constraint has failed."""
    errors: dict[SamplerState, RequestError] = {}
    if not any(state.constraint for state in states):
        return logits, errors
    rows = [*logits.split(1)]
    for index, state in enumerate(states):
        if state.constraint:
            try:
                rows[index] = state.constraint.mask(rows[index])
            except RequestError as error:
                errors[state] = error
    return torch.cat(rows), errors


def _build_output(
    state: SamplerState, row: torch.Tensor, token: int, is_finite: int, is_impossible: int
) -> TokenOutput | Exception:
    """What is told of a token that was sampled, by the logits, (vocabulary,), of those that the
    constraint allows."""
    if not is_finite:
        return ArithmeticError(NOT_FINITE)
    if is_impossible:
        return RequestError(NO_TOKEN)
    if state.constraint:
        state.constraint.accept(token)
    if state.logprobs is None:
        return TokenOutput(state.choice, token)
    return _add_logprobs(state.choice, token, row, state.logprobs)


def _add_logprobs(choice: int, token: int, row: torch.Tensor, count: int) -> TokenOutput:
    """The token with the logprobs that the model itself gives, by its logits of (vocabulary,):
    those before penalties and temperature, of itself and of the `count` likeliest."""
    logprobs = row.log_softmax(-1)
    values, ids = logprobs.topk(min(count, len(logprobs)))
    top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return TokenOutput(choice, token, float(logprobs[token]), top)
