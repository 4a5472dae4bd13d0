"""Token by token generation with a transformers model, one request at a time.

Unlike `model.generate`, a request here has its own random numbers (so a seed means the same text
however many requests there are), can be stopped at any token, and reports failures to its caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from transformers import (
    DynamicCache,
    LogitsProcessorList,
    PreTrainedModel,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from .sampling import Sampling

FinishReason = Literal["stop", "length"]
# Tokens that may wait for their text; a bound, since they are decoded again with each new one.
_MOST_UNCLEAR = 64


@torch.inference_mode()
def generate_tokens(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor | None,
    sampling: Sampling,
    stop_ids: Sequence[int],
) -> Iterator[int]:
    """Yield the answer's token ids, without the one in `stop_ids` that ends it.

    Args:
        input_ids: (1, tokens), with an image token for every feature of `pixel_values`.
        pixel_values: (tiles, 3, tile_size, tile_size), or None for a text prompt.
    """
    warpers = _warpers(sampling)
    generator = torch.Generator(device=input_ids.device)
    if sampling.seed is not None:
        generator.manual_seed(sampling.seed)
    else:
        generator.seed()
    config = model.config.text_config
    switch = _rope_switch(config)
    ids, seen, cache = input_ids, 0, DynamicCache(config=config)
    for _ in range(sampling.max_tokens):
        if seen <= switch < ids.shape[1]:
            seen, cache = 0, DynamicCache(config=config)
        logits = model(
            input_ids=ids[:, seen:],
            pixel_values=None if seen else pixel_values,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        seen = ids.shape[1]
        token = _choose(warpers(ids, logits.float()), sampling.temperature, generator)
        if int(token) in stop_ids:
            return
        yield int(token)
        ids = torch.cat([ids, token.to(ids.device)], dim=1)


def _rope_switch(config: Any) -> int:
    """The length beyond which all positions, earlier ones included, are encoded differently
    (LongRoPE of Phi-3), so that a cache from before it is of no use."""
    rope = config.rope_parameters
    if rope["rope_type"] != "longrope":
        return -1
    return int(rope["original_max_position_embeddings"])


def _warpers(sampling: Sampling) -> LogitsProcessorList:
    warpers = LogitsProcessorList()
    if sampling.repetition_penalty != 1.0:
        warpers.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
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


class TextStream:
    """Turns token ids into text as they come, holding back what a later token may still change.

    The texts of `push` and `finish` together are the answer, cut before the first stop string;
    a character is never split. `done` says that a stop string was met.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._ids: list[int] = []
        # Tokens before `_read` have been turned into text; those from `_context` on are decoded
        # again with the next ones, since a tokenizer drops the space of a text's first word.
        self._context = self._read = 0
        self._pending = ""
        self.done = False

    def push(self, token: int) -> str:
        """The text that is certain after `token`."""
        self._ids.append(token)
        text = self._unread_text()
        # A character of several tokens is incomplete until its last one, and a tokenizer drops
        # the space of a word that follows nothing but control tokens.
        unclear = not text or text.endswith("\ufffd")
        if unclear and len(self._ids) - self._read < _MOST_UNCLEAR:
            return ""
        return self._take(text)

    def finish(self) -> str:
        """The rest of the text, once no token follows."""
        if self.done:
            return ""
        ready = self._take(self._unread_text())
        return ready if self.done else ready + self._pending

    def _unread_text(self) -> str:
        known = self._decode(self._ids[self._context : self._read])
        return self._decode(self._ids[self._context :])[len(known) :]

    def _decode(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def _take(self, text: str) -> str:
        self._context, self._read = self._read, len(self._ids)
        self._pending += text
        cuts = [self._pending.find(stop) for stop in self._stop if stop in self._pending]
        self.done = bool(cuts)
        held_back = 0 if cuts else _held_back(self._pending, self._stop)
        end = min(cuts) if cuts else len(self._pending) - held_back
        ready, self._pending = self._pending[:end], self._pending[end:]
        return ready


def _held_back(text: str, stop: Sequence[str]) -> int:
    """Length of the longest end of `text` that begins a stop string."""
    lengths = (
        size
        for string in stop
        for size in range(1, min(len(string), len(text) + 1))
        if text.endswith(string[:size])
    )
    return max(lengths, default=0)
