"""vLLM's InternVL and ours are independent: the same checkpoint has to give the same answer."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.install.environment import Environment
from tests.shapes.batches import make_segments
from tests.shapes.export import export, read_state
from tests.shapes.showcase import draw_shapes
from tests.shapes.task import Sample, draw_samples
from tests.support.chat.media import encode
from tests.support.generate import generate_tokens
from tests.tiny import make_checkpoint
from tests.tiny.resaved import resave
from xinference_internvl2.chat.build_prompt import build_prompt
from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.families.find_prompt_format import find_prompt_format
from xinference_internvl2.media.pixel_values import image_to_tiles
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.tokenizer.image_tokens import image_tokens
from xinference_internvl2.tokenizer.tokenizer import (
    InternVL2Tokenizer,
    encode_segments,
    load_tokenizer,
)
from xinference_internvl2.transformers.model.from_checkpoint import load_model

from .conftest import needs_vllm, offline
from .processes.vllm_answers import TOKENS

# Every backbone as a model that sees, saved again by another tool; and random weights with the
# large vision tower, as published: computed by one process, and by two that share it, which is
# harder with an odd number of heads.
SEEING = [
    ("qwen2", "trained", "qwen2"),
    ("internlm2", "trained", "internlm2"),
    ("phi3", "trained", "phi3"),
    ("llama", "trained", "yi"),
]
SHARED = [(backbone, "6b-shared", tokenizer) for backbone, _, tokenizer in SEEING]
CASES = [*SEEING, ("llama", "6b", "llama3"), *SHARED]
ODD_HEADS = {"vit_hidden": 96, "vit_heads": 3}
IMAGES = (0, 1, 3)
PNG = b64encode(encode(draw_shapes())).decode()
LEAST_RIGHT = 0.9
pytestmark = [
    pytest.mark.e2e,
    needs_vllm,
]


def cut(image: Image.Image, config: CheckpointConfig) -> torch.Tensor:
    return image_to_tiles(image, image_size=config.tile_size, max_tiles=config.max_tiles)


def tiles_of(config: CheckpointConfig, images: int) -> list[torch.Tensor]:
    return [cut(draw_shapes(), config)] * images


def prompt_ids(config: CheckpointConfig, tokenizer: InternVL2Tokenizer, images: int) -> list[int]:
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": "a picture"}] * images
    parts.append({"type": "text", "text": "What is it? 请用中文。 <image> <|im_end|> a[STAR]"})
    tiles = iter(tiles_of(config, images))
    make_segments = [
        (image_tokens(len(next(tiles)) * config.tokens_per_tile), True)
        if piece.media
        else (piece.text, piece.trusted)
        for piece in build_prompt([{"role": "user", "content": parts}], config.template)
    ]
    return encode_segments(tokenizer, make_segments)


def of_vllm(
    checkpoint: Path, requests: list[dict[str, Any]], dtype: str = "float32"
) -> list[dict[str, Any]]:
    job = {"checkpoint": str(checkpoint), "dtype": dtype, "requests": requests}
    (answers,) = offline([job])
    return answers


@dataclass(frozen=True)
class Compared:
    """A checkpoint, the prompts for so many images and about held-out samples, and what vLLM
    answers to all."""

    path: Path
    prompts: list[list[int]]
    answers: list[dict[str, Any]]


@pytest.fixture(scope="module")
def unseen() -> list[Sample]:
    """Pictures and pairs of pictures that the trained model never saw; one question counts."""
    pictures = draw_samples("held-out", 7, [("picture", 0.7), ("pair", 0.3)])
    return list(islice(pictures, 16))


def made(path: Path, case: tuple[str, str, str]) -> Path:
    backbone, weights, tokenizer = case
    options: dict[str, Any] = {"tokenizer": tokenizer, "dtype": "float32"}
    if weights == "trained":
        return resave(export(path, backbone, read_state(), **options))  # type: ignore[arg-type]
    options |= ODD_HEADS if case in SHARED else {}
    return make_checkpoint(path, backbone=backbone, vit="6b", seed=1, **options)  # type: ignore[arg-type]


def ranks_of(case: tuple[str, str, str]) -> int:
    return 2 if case in SHARED else 1


def requests_of(path: Path, unseen: list[Sample]) -> tuple[list[list[int]], list[dict[str, Any]]]:
    """Prompts and what vLLM is sent for them."""
    from xinference_internvl2.vllm.placeholders import insert_placeholders

    config, own = read_config(path), load_tokenizer(path)
    prompts = [prompt_ids(config, own, images) for images in IMAGES]
    pictures = [[PNG] * images for images in IMAGES]
    for sample in unseen:
        counts = [len(cut(p.draw(), config)) for p in sample.pictures]
        asked = make_segments(sample, sample.questions[0], counts, config.template)
        prompts.append(encode_segments(own, asked))
        pictures.append([b64encode(encode(p.draw())).decode() for p in sample.pictures])
    sent = [insert_placeholders(ids, own) for ids in prompts]
    return prompts, [
        {"ids": ids, "pictures": images} for ids, images in zip(sent, pictures, strict=True)
    ]


@pytest.fixture(scope="module")
def compared(
    without_host: Environment, unseen: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, str], Compared]:
    """All cases in one process of vLLM's, beside which only our wheel is installed."""
    folder = tmp_path_factory.mktemp("parity")
    paths = [made(folder / "-".join(case), case) for case in CASES]
    asked = [
        requests_of(path, unseen if case in SEEING else [])
        for path, case in zip(paths, CASES, strict=True)
    ]
    jobs = [
        {"checkpoint": str(path), "dtype": "float32", "requests": requests, "ranks": ranks}
        for path, (_, requests), ranks in zip(paths, asked, map(ranks_of, CASES), strict=True)
    ]
    answers = offline(jobs, without_host.python)
    prompts = [prompts for prompts, _ in asked]
    return dict(zip(CASES, map(Compared, paths, prompts, answers), strict=True))


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_both_engines_answer_alike(
    compared: dict[tuple[str, str, str], Compared], case: tuple[str, str, str], images: int
) -> None:
    found = compared[case]
    place = IMAGES.index(images)
    ids, answer = found.prompts[place], found.answers[place]
    assert answer["prompt"] == ids
    model, config = load_model(found.path), read_config(found.path)
    pixels = torch.cat(tiles_of(config, images)) if images else None
    prompt = torch.tensor([ids])
    tokens = [
        token.id for token in generate_tokens(model, prompt, pixels, SamplingParams(TOKENS), [])
    ]
    assert answer["tokens"] == tokens
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids + tokens]), pixel_values=pixels).logits
    logprobs = logits[0, len(ids) - 1 : -1].log_softmax(-1)
    ours = logprobs[torch.arange(TOKENS), torch.tensor(tokens)]
    assert (ours - torch.tensor(answer["logprobs"])).abs().max() < 1e-3


@pytest.mark.parametrize("case", SEEING, ids="-".join)
def test_both_engines_see_alike(
    compared: dict[tuple[str, str, str], Compared], unseen: list[Sample], case: tuple[str, str, str]
) -> None:
    """The same tokens about pictures that were never trained on, and nearly all of them right."""
    found, right = compared[case], 0
    model, config = load_model(found.path), read_config(found.path)
    own, stops = load_tokenizer(found.path), find_prompt_format(config.template).stop
    stop_ids = own.convert_tokens_to_ids(list(stops))
    prompts, answers = found.prompts[len(IMAGES) :], found.answers[len(IMAGES) :]
    for sample, ids, answer in zip(unseen, prompts, answers, strict=True):
        assert answer["prompt"] == ids
        pixels = torch.cat([cut(p.draw(), config) for p in sample.pictures])
        prompt = torch.tensor([ids])
        steps = generate_tokens(model, prompt, pixels, SamplingParams(TOKENS), stop_ids)
        tokens = [token.id for token in steps]
        assert answer["tokens"][: len(tokens)] == tokens
        assert answer["tokens"][len(tokens)] in stop_ids
        right += own.decode(tokens) == sample.questions[0].answer
    assert right >= LEAST_RIGHT * len(unseen)
