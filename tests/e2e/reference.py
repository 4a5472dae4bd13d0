"""What a served checkpoint has to answer: transformers' own `generate` on a prompt in literals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.media.pixel_values import image_to_tiles
from xinference_internvl2.tokenizer.image_tokens import image_tokens
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer, load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model

Pictures = Sequence[tuple[Image.Image, int]]
"""Pictures and the most tiles that each may have."""


@cache
def loaded(checkpoint: Path) -> tuple[Any, CheckpointConfig, InternVL2Tokenizer]:
    return load_model(checkpoint), read_config(checkpoint), load_tokenizer(checkpoint)


def inputs(checkpoint: Path, prompt: str, pictures: Pictures) -> dict[str, Any]:
    """`input_ids` (1, tokens) and `pixel_values` (tiles, 3, tile_size, tile_size) of a prompt
    with an `<image>` for every picture."""
    _, config, tokenizer = loaded(checkpoint)
    tiles = [
        image_to_tiles(image.convert("RGB"), image_size=config.tile_size, max_tiles=most)
        for image, most in pictures
    ]
    for one in tiles:
        prompt = prompt.replace("<image>", image_tokens(len(one) * config.tokens_per_tile), 1)
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    return {"input_ids": ids, "pixel_values": torch.cat(tiles) if tiles else None}


def greedy(checkpoint: Path, values: dict[str, Any], tokens: int) -> str:
    model, _, tokenizer = loaded(checkpoint)
    answer = model.generate(**values, max_new_tokens=tokens, do_sample=False)
    text: str = tokenizer.decode(
        answer[0, values["input_ids"].shape[1] :], skip_special_tokens=True
    )
    return text
