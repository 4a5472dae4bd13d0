"""Sampling: logits → the next token of each sequence, and logprobs.

Unlike in `model.generate`, each sequence has its own random numbers, so that a seed gives the same
tokens whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from ...engine_outputs import TokenOutput
from ...errors import RequestError
from ...sampling_params import SamplingParams
from .constraint import Constraint
from .logits_processors import build_processors

NO_TOKEN = RequestError(
    "the options of the request leave no token that may come next; loosen allowed_token_ids, "
    "bad_words, or the form of the answer"
)


class SamplerState:
    """What sampling knows of a sequence.

    Args:
        choice: which of the `n` sequences this is; each has a seed of its own.
        token_ids: of the prompt; what is generated is appended by their owner.
        stop_ids: those that end the sequence.
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
        self.generator = torch.Generator(device=device)
        if sampling.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(sampling.seed + choice)

    @property
    def is_plain(self) -> bool:
        """Whether the likeliest token is chosen, of all."""
        return not self.processors and self.constraint is None

    def process(self, row: torch.Tensor) -> torch.Tensor:
        """(1, vocabulary) → the same, with penalties, temperature and cuts applied."""
        if not self.processors:
            return row
        ids = torch.tensor([self.token_ids], device=row.device)
        processed: torch.Tensor = self.processors(ids, row)
        return processed

    def choose(self, row: torch.Tensor) -> int:
        """Return a token by its processed logits of (1, vocabulary).

        Raises:
            RequestError: all tokens are impossible.
        """
        if self.processors and bool(row.isneginf().all()):
            raise NO_TOKEN
        if self.is_greedy:
            token = int(row.argmax())
        else:
            probabilities = row[0].softmax(dim=-1)
            token = int(torch.multinomial(probabilities, 1, generator=self.generator))
        if self.constraint:
            self.constraint.accept(token)
        return token


def sample(logits: torch.Tensor, states: Sequence[SamplerState]) -> list[TokenOutput | Exception]:
    """The next token of each sequence, by logits of (sequences, vocabulary).

    An error stands for a sequence whose logits are not all finite, or whose options cannot be
    kept.
    """
    finite = logits.sum(dim=-1).isfinite().long()
    # Both at once, as each transfer waits for the device.
    found = torch.stack([logits.argmax(dim=-1), finite]).tolist()
    rows = zip(states, logits, *found, strict=True)
    return [
        _sample(state, row, token) if valid else _not_finite() for state, row, token, valid in rows
    ]


def _not_finite() -> ArithmeticError:
    return ArithmeticError(
        "the model computed numbers that are not finite; launch it with --torch_dtype bfloat16 or "
        "float32, or download the weights again"
    )


def _sample(state: SamplerState, row: torch.Tensor, likeliest: int) -> TokenOutput | Exception:
    """The next token of one sequence, by its logits of (vocabulary,)."""
    if state.is_plain:
        return _report(state, row, likeliest)
    try:
        if state.constraint:
            row = state.constraint.mask(row[None])[0]
        return _report(state, row, state.choose(state.process(row[None])))
    except RequestError as error:
        return error


def _report(state: SamplerState, logits: torch.Tensor, token: int) -> TokenOutput:
    """The token, with the logprobs that the model itself gives if they are asked for: those before
    penalties and temperature, and among the tokens that a constraint allows. `logits` is
    (vocabulary,)."""
    if state.logprobs is None:
        return TokenOutput(state.choice, token)
    logprobs = logits.log_softmax(-1)
    values, ids = logprobs.topk(min(state.logprobs, len(logprobs)))
    top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return TokenOutput(state.choice, token, float(logprobs[token]), top)
