"""One answer by itself, of those that the product writes several at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedModel

from xinference_internvl2.completion import Token
from xinference_internvl2.generation import begin, write
from xinference_internvl2.sampling import Sampling


def generate_tokens(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: Sampling,
    stop_ids: Sequence[int],
    choice: int = 0,
) -> Iterator[Token]:
    """Yield the tokens of an answer, which is number `choice` of those that `sampling` asks for."""
    answer = begin(model, input_ids, pixel_values, sampling, stop_ids)[choice]
    while True:
        (events,) = write(model, [answer])
        for event in events:
            if not isinstance(event, Token):
                return
            yield event
