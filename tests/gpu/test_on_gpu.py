"""The same numbers on a GPU as on a CPU, alone and in batches."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BitsAndBytesConfig

from tests.tiny.lora import make_matrices, write_adapter, write_merged
from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.media.pixel_values import normalize_on_device
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine import scheduler
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits
from xinference_internvl2.transformers.engine.sequence import Prompt
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.lora_layers import load_adapters, use_adapter

GPU = "cuda"
SIDE, FEATURES, TILES, TOKENS = 112, 16, 3, 12
NOISE = np.random.default_rng(0).integers(0, 256, (TILES, 3, SIDE, SIDE), np.uint8)


def ids(model: Any, first: int = 5) -> list[int]:
    return [first, 6, 7, *[model.config.image_token_id] * (TILES * FEATURES), 8, 9]


def logits(model: Any) -> torch.Tensor:
    pixels = normalize_on_device(torch.from_numpy(NOISE).to(model.device)).to(model.dtype)
    tokens = torch.tensor([ids(model)], device=model.device)
    with torch.inference_mode():
        return model(input_ids=tokens, pixel_values=pixels).logits.float().cpu()  # type: ignore[no-any-return]


@contextmanager
def started(model: Any, **limits: int) -> Iterator[AsyncEngine]:
    engine = AsyncEngine(lambda: model, EngineLimits(16, **limits), normalize_on_device)
    try:
        yield engine
    finally:
        engine.stop()


async def tokens_of(engine: AsyncEngine, prompt: Prompt) -> list[int]:
    outputs = engine.generate(prompt, SamplingParams(TOKENS), [])
    return [output.id async for output in outputs if isinstance(output, TokenOutput)]


def answers(engine: AsyncEngine, prompts: list[Prompt]) -> list[list[int]]:
    async def all_at_once() -> list[list[int]]:
        return await asyncio.gather(*(tokens_of(engine, prompt) for prompt in prompts))

    return asyncio.run(all_at_once())


def prompts(model: Any, count: int) -> list[Prompt]:
    return [Prompt(ids(model, first), NOISE) for first in range(5, 5 + count)]


def test_float32_is_that_of_a_cpu(checkpoint: Path) -> None:
    here, there = load_model(checkpoint), load_model(checkpoint, device_map={"": GPU})
    assert there.device.type == GPU
    assert torch.allclose(logits(there), logits(here), atol=1e-3)
    with started(here) as one, started(there) as other:
        assert answers(other, prompts(there, 2)) == answers(one, prompts(here, 2))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_the_bits_are_finite_and_close(checkpoint: Path, dtype: str) -> None:
    wanted = logits(load_model(checkpoint))
    found = logits(load_model(checkpoint, dtype=dtype, device_map={"": GPU}))
    assert found.isfinite().all()
    likeness = torch.cosine_similarity(found[0], wanted[0])
    assert likeness.min() > 0.99


def test_where_accelerate_puts_it(small: Path) -> None:
    found = logits(load_model(small, device_map="auto"))
    assert torch.allclose(found, logits(load_model(small)), atol=1e-3)


@pytest.mark.parametrize("count", [1, 4, 16])
def test_batches_change_nothing(small: Path, count: int) -> None:
    model = load_model(small, device_map={"": GPU})
    with started(model, prefix_cache_bytes=0) as engine:
        alone = [answers(engine, [prompt])[0] for prompt in prompts(model, count)]
        assert answers(engine, prompts(model, count)) == alone


def test_what_was_read_before_and_what_is_read_in_pieces(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(small, device_map={"": GPU})
    with started(model, prefix_cache_bytes=0) as engine:
        (wanted,) = answers(engine, prompts(model, 1))
    monkeypatch.setattr(scheduler, "CHUNK", 7)
    with started(model) as engine:
        assert [answers(engine, prompts(model, 1))[0] for _ in range(3)] == [wanted] * 3


def test_adapters(small: Path, tmp_path: Path) -> None:
    matrices = make_matrices(small, rank=4)
    model = load_model(small, device_map={"": GPU})
    alone = logits(model)
    load_adapters(model, {"mine": write_adapter(tmp_path / "adapter", matrices)})
    use_adapter(model, "mine")
    wanted = logits(load_model(write_merged(small, tmp_path / "merged", matrices)))
    assert torch.allclose(logits(model), wanted, atol=1e-3)
    use_adapter(model, None)
    assert torch.equal(logits(model), alone)


@pytest.mark.parametrize("bits", [8, 4])
def test_bitsandbytes(small: Path, bits: int) -> None:
    pytest.importorskip("bitsandbytes")
    settings = BitsAndBytesConfig(load_in_8bit=bits == 8, load_in_4bit=bits == 4)
    model = load_model(small, dtype="float16", device_map={"": GPU}, quantization_config=settings)
    found, wanted = logits(model), logits(load_model(small))
    assert torch.cosine_similarity(found[0, -1], wanted[0, -1], dim=0) > 0.9
    with started(model) as engine:
        assert [len(tokens) for tokens in answers(engine, prompts(model, 4))] == [TOKENS] * 4


def test_nothing_is_left_after_the_end(small: Path) -> None:
    gc.collect()
    before = torch.cuda.memory_allocated()
    model = load_model(small, device_map={"": GPU})
    with started(model) as engine:
        answers(engine, prompts(model, 4))
        assert torch.cuda.memory_allocated() > before
    del model
    for thread in [each for each in threading.enumerate() if each.name == "engine"]:
        thread.join(60)
    gc.collect()
    assert torch.cuda.memory_allocated() == before
