"""One answer by itself, of those that the product writes several at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedModel

from xinference_internvl2.engine import SamplingParams, TokenOutput
from xinference_internvl2.transformers.engine.generation import begin, write


def generate_tokens(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: SamplingParams,
    stop_ids: Sequence[int],
    choice: int = 0,
) -> Iterator[TokenOutput]:
    """Yield the tokens of an answer, which is number `choice` of those that `sampling` asks for."""
    answer = begin(model, input_ids, pixel_values, sampling, stop_ids)[choice]
    while True:
        (events,) = write(model, [answer])
        for event in events:
            if not isinstance(event, TokenOutput):
                return
            yield event
