"""vLLM's InternVL and ours are independent: the same checkpoint has to give the same answer."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.demo import picture
from tests.plugin.environment import Environment
from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint import load_model
from xinference_internvl2.config import CheckpointConfig, read_config
from xinference_internvl2.generation import generate_tokens
from xinference_internvl2.images import image_to_tiles
from xinference_internvl2.prompt import image_tokens, pieces
from xinference_internvl2.sampling import Sampling
from xinference_internvl2.tokenizer import InternVL2Tokenizer, encode_segments, load_tokenizer

from .conftest import offline
from .vllm_answers import TOKENS

# Every backbone, both vision towers, and both tokenizers of the Llama backbone.
CASES = [
    ("qwen2", "300m", "qwen2"),
    ("internlm2", "6b", "internlm2"),
    ("phi3", "6b", "phi3"),
    ("llama", "300m", "yi"),
    ("llama", "6b", "llama3"),
]
IMAGES = (0, 1, 3)
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
    job = {"checkpoint": str(checkpoint), "dtype": dtype, "requests": requests}
    (answers,) = offline([job])
    return answers


@dataclass(frozen=True)
class Compared:
    """A checkpoint, the prompts for so many images, and what vLLM answers."""

    path: Path
    prompts: dict[int, list[int]]
    answers: list[dict[str, Any]]


@pytest.fixture(scope="module")
def compared(
    without_host: Environment, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, str], Compared]:
    """All cases in one process of vLLM's, beside which only our wheel is installed."""
    from xinference_internvl2.vllm.placeholders import with_placeholders

    folder = tmp_path_factory.mktemp("parity")
    paths, prompts, jobs = [], [], []
    for backbone, vit, tokenizer in CASES:
        path = make_checkpoint(
            folder / f"{backbone}-{vit}-{tokenizer}",
            backbone=backbone,  # type: ignore[arg-type]
            vit=vit,  # type: ignore[arg-type]
            tokenizer=tokenizer,
            dtype="float32",
            seed=1,
        )
        config, own = read_config(path), load_tokenizer(path)
        paths.append(path)
        prompts.append({images: prompt_ids(config, own, images) for images in IMAGES})
        requests = [
            {"ids": with_placeholders(ids, own), "images": images}
            for images, ids in prompts[-1].items()
        ]
        jobs.append({"checkpoint": str(path), "dtype": "float32", "requests": requests})
    answers = offline(jobs, without_host.python)
    return dict(zip(CASES, map(Compared, paths, prompts, answers), strict=True))


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_both_engines_answer_alike(
    compared: dict[tuple[str, str, str], Compared], case: tuple[str, str, str], images: int
) -> None:
    found = compared[case]
    ids, answer = found.prompts[images], found.answers[IMAGES.index(images)]
    assert answer["prompt"] == ids
    model, config = load_model(found.path), read_config(found.path)
    pixels = torch.cat(tiles_of(config, images)) if images else None
    prompt = torch.tensor([ids])
    tokens = [token.id for token in generate_tokens(model, prompt, pixels, Sampling(TOKENS), [])]
    assert answer["tokens"] == tokens
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids + tokens]), pixel_values=pixels).logits
    logprobs = logits[0, len(ids) - 1 : -1].log_softmax(-1)
    ours = logprobs[torch.arange(TOKENS), torch.tensor(tokens)]
    assert (ours - torch.tensor(answer["logprobs"])).abs().max() < 1e-3
