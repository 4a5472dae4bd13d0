"""Against tensors and tokens of the implementation published with InternVL2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.support.generate import generate_tokens
from xinference_internvl2.chat.build_prompt import render
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.media.pixel_values import image_to_tiles
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.tokenizer.image_tokens import image_tokens
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model

GOLDENS = Path(__file__).resolve().parents[3] / "shared/reference/goldens"
pytestmark = pytest.mark.skipif(not GOLDENS.is_dir(), reason="the reference's tensors are absent")

CHECKPOINTS = ("internlm2_2b", "phi3_4b")
QUESTIONS = {"text": "Describe the weather, 请用中文。", "image": "What is in the picture?"}
TILES = {"image_size": 112, "max_tiles": 6}


def pixel_values() -> torch.Tensor:
    return load_file(GOLDENS / "pixel_values.safetensors")["pixel_values"]


def golden(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    words = json.loads((GOLDENS / name / "golden.json").read_text())
    return words, load_file(GOLDENS / name / "golden.safetensors")


def test_tiles() -> None:
    tiles = image_to_tiles(Image.open(GOLDENS / "noise.png"), **TILES)  # type: ignore[arg-type]
    assert torch.equal(tiles, pixel_values())


@pytest.mark.parametrize("kind", ["text", "image"])
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_prompt_tokens_logits_and_answer(name: str, kind: str) -> None:
    words, tensors = golden(name)
    config, tokenizer = read_config(GOLDENS / name), load_tokenizer(GOLDENS / name)
    content: list[dict[str, Any]] = [{"type": "text", "text": QUESTIONS[kind]}]
    if kind == "image":
        content.insert(0, {"type": "image_url", "image_url": {"url": "noise.png"}})
    prompt, media = render([{"role": "user", "content": content}], config.template)
    pixels = pixel_values() if media else None
    for _ in media:
        tokens = image_tokens(len(pixel_values()) * config.tokens_per_tile)
        prompt = prompt.replace("<image>", tokens)
    assert prompt == words[f"{kind}_prompt"]
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    assert torch.equal(ids, tensors[f"{kind}_ids"])
    model = load_model(GOLDENS / name, dtype="float32")
    with torch.inference_mode():
        logits = model(input_ids=ids, pixel_values=pixels).logits
    assert (logits - tensors[f"{kind}_logits"]).abs().max() < 1e-4
    stop = tokenizer.convert_tokens_to_ids(words["sep"])
    assert stop == words["sep_id"]
    answer = generate_tokens(model, ids, pixels, SamplingParams(16), [stop])
    assert [token.id for token in answer] == words[f"{kind}_greedy"]
