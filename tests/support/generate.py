"""Sequences by themselves, without the engine's thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.model_runner import ModelRunner
from xinference_internvl2.transformers.engine.sampler import sample
from xinference_internvl2.transformers.engine.sequence import Prompt, Request, Status
from xinference_internvl2.transformers.engine.sequence import Sequence as Generated


def make_request(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: SamplingParams,
    stop_ids: Sequence[int] = (),
    **options: Any,
) -> Request:
    """A request for the prompt (1, tokens) with tiles of (tiles, 3, tile_size, tile_size)."""
    tiles = [] if pixel_values is None else list(pixel_values.float().numpy())
    prompt = Prompt(input_ids[0].tolist(), tiles, **options)
    return Request(prompt, sampling, stop_ids, model.config.image_token_id, model.device)


def prefill(runner: ModelRunner, sequence: Generated) -> torch.Tensor:
    """Read all that is left of the tokens: (1, vocabulary)"""
    while not (found := runner.prefill([sequence])):
        pass
    sequence.status = Status.RUNNING
    return found[0][1]


def run_step(runner: ModelRunner, sequences: list[Generated]) -> list[TokenOutput]:
    """The next token of sequences that share a step."""
    first = sequences[0]
    is_read = first.status is Status.RUNNING and not runner.switches(first.tokens)
    if not is_read and first.status is Status.RUNNING:
        first.restart()
    logits = runner.decode(sequences) if is_read else prefill(runner, first)
    found: list[TokenOutput] = []
    for sequence, token in zip(
        sequences, sample(logits, [s.sampler for s in sequences]), strict=True
    ):
        assert isinstance(token, TokenOutput)
        found += [x for x in sequence.accept(token) if isinstance(x, TokenOutput)]
    return found


def generate_tokens(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: SamplingParams,
    stop_ids: Sequence[int],
    choice: int = 0,
) -> Iterator[TokenOutput]:
    """Yield the tokens of sequence number `choice` of those that `sampling` asks for."""
    runner = ModelRunner(model)
    sequence = make_request(model, input_ids, pixel_values, sampling, stop_ids).sequences[choice]
    while not sequence.is_over:
        yield from run_step(runner, [sequence])
