"""vLLM's InternVL and ours are independent: the same checkpoint has to give the same answer."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.demo import picture
from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint import load_model
from xinference_internvl2.config import CheckpointConfig, read_config
from xinference_internvl2.generation import generate_tokens
from xinference_internvl2.images import image_to_tiles
from xinference_internvl2.prompt import image_tokens, pieces
from xinference_internvl2.sampling import Sampling
from xinference_internvl2.tokenizer import InternVL2Tokenizer, encode_segments, load_tokenizer

from .vllm_answers import TOKENS

REPOSITORY = Path(__file__).resolve().parents[2]
# Every backbone, both vision towers, and both tokenizers of the Llama backbone.
CASES = [
    ("qwen2", "300m", "qwen2"),
    ("internlm2", "6b", "internlm2"),
    ("phi3", "6b", "phi3"),
    ("llama", "300m", "yi"),
    ("llama", "6b", "llama3"),
]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not importlib.util.find_spec("vllm"), reason="vLLM is not installed"),
]


def tiles_of(config: CheckpointConfig, images: int) -> list[torch.Tensor]:
    return [image_to_tiles(picture(), image_size=config.tile_size)] * images


def prompt_ids(config: CheckpointConfig, tokenizer: InternVL2Tokenizer, images: int) -> list[int]:
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": "a picture"}] * images
    parts.append({"type": "text", "text": "What is it? 请用中文。 <image> <|im_end|>"})
    tiles = iter(tiles_of(config, images))
    segments = [
        (image_tokens(len(next(tiles)) * config.tokens_per_tile), True)
        if piece.media
        else (piece.text, piece.trusted)
        for piece in pieces([{"role": "user", "content": parts}], config.template)
    ]
    return encode_segments(tokenizer, segments)


def of_vllm(
    checkpoint: Path, requests: list[dict[str, Any]], dtype: str = "float32"
) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.vllm_answers", str(checkpoint), dtype],
        input=json.dumps(requests),
        cwd=REPOSITORY,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("answers:"))
    answers: list[dict[str, Any]] = json.loads(line.removeprefix("answers:"))
    return answers


@pytest.mark.parametrize(("backbone", "vit", "tokenizer"), CASES)
def test_both_engines_answer_alike(tmp_path: Path, backbone: Any, vit: Any, tokenizer: str) -> None:
    from xinference_internvl2.vllm.model import with_placeholders

    path = make_checkpoint(
        tmp_path, backbone=backbone, vit=vit, tokenizer=tokenizer, dtype="float32", seed=1
    )
    config, own = read_config(path), load_tokenizer(path)
    prompts = {images: prompt_ids(config, own, images) for images in (0, 1, 3)}
    requests = [
        {"ids": with_placeholders(ids, own), "images": images} for images, ids in prompts.items()
    ]
    model = load_model(path)
    for (images, ids), answer in zip(prompts.items(), of_vllm(path, requests), strict=True):
        assert answer["prompt"] == ids
        pixels = torch.cat(tiles_of(config, images)) if images else None
        generated = generate_tokens(model, torch.tensor([ids]), pixels, Sampling(TOKENS), [])
        tokens = [token.id for token in generated]
        assert answer["tokens"] == tokens
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids + tokens]), pixel_values=pixels).logits
        logprobs = logits[0, len(ids) - 1 : -1].log_softmax(-1)
        ours = logprobs[torch.arange(TOKENS), torch.tensor(tokens)]
        assert (ours - torch.tensor(answer["logprobs"])).abs().max() < 1e-3
