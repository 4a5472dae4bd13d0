"""`make bench-gpu`: what a GPU does for the Transformers engine, as shares of what it could do.

The models are random, of real dimensions, and made on the device. The limits are measured in the
same run: a decode step has to read all weights of the language model once, at the rate at which the
device copies; the first token takes the arithmetic of the vision tower and of the prompt, at the
rate of a large product of matrices.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.initialization import no_init_weights

from tests.tiny.checkpoint import TOKENIZERS, write_description
from tests.tiny.dims import Backbone, resolve_dims
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.media.pixel_values import normalize_on_device
from xinference_internvl2.media.tiles import Tiling
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits
from xinference_internvl2.transformers.engine.sequence import Prompt
from xinference_internvl2.transformers.model.hf_config import model_config
from xinference_internvl2.transformers.model.internvl2_model import (
    InternVL2ForConditionalGeneration,
)
from xinference_internvl2.transformers.model.speed_up import speed_up

SIZES: dict[str, Backbone] = {"1b": "qwen2", "2b": "internlm2", "8b": "internlm2"}
PICTURE = (1920, 1080)
AT_ONCE = (1, 8, 16)
TOKENS = 64
TEXT = 40
RUNS = 5


@dataclass(frozen=True)
class Device:
    """What a device can do: bytes a second that it copies, and operations a second in bfloat16."""

    name: str
    bandwidth: float
    arithmetic: float

    @classmethod
    def measure(cls, name: str, side: int = 8192, size: int = 1 << 30) -> Device:
        source = torch.empty(size, dtype=torch.uint8, device=name)
        target = torch.empty_like(source)
        matrix = torch.randn(side, side, dtype=torch.bfloat16, device=name)
        copied = shortest(name, lambda: target.copy_(source))
        multiplied = shortest(name, lambda: matrix @ matrix)
        return cls(name, 2 * size / copied, 2 * side**3 / multiplied)


def shortest(device: str, work: Callable[[], Any]) -> float:
    """Seconds of the shortest of some runs."""
    found = []
    for _ in range(RUNS):
        synchronize(device)
        start = time.perf_counter()
        work()
        synchronize(device)
        found.append(time.perf_counter() - start)
    return min(found)


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def random_model(dims: str, backbone: Backbone, device: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        sizes = resolve_dims(dims, backbone, {})
        write_description(Path(folder), backbone, sizes, kind=TOKENIZERS[backbone][0])
        config = model_config(read_config(folder))
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device), no_init_weights():
        model = InternVL2ForConditionalGeneration(config)
    torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0) if parameter.ndim == 1 else parameter.normal_(0, 0.02)
    speed_up(model)
    return model.eval()


def prompt(model: Any, pictures: int, number: int) -> Prompt:
    """Each begins differently, so that none is answered from the prefix cache."""
    side = model.config.vision_config.image_size[0]
    count = pictures * Tiling(side).count(*PICTURE)
    noise = np.random.default_rng(number).integers(0, 256, (count, 3, side, side), np.uint8)
    image = [model.config.image_token_id] * (count * model.config.image_seq_length)
    return Prompt([5 + number, *image, *range(100, 100 + TEXT)], noise)


async def _answer(engine: AsyncEngine, asked: Prompt, tokens: int) -> None:
    async for _ in engine.generate(asked, SamplingParams(tokens), []):
        pass


def seconds(engine: AsyncEngine, asked: list[Prompt], tokens: int) -> float:
    async def all_at_once() -> None:
        await asyncio.gather(*(_answer(engine, one, tokens) for one in asked))

    start = time.perf_counter()
    asyncio.run(all_at_once())
    return time.perf_counter() - start


def measure(dims: str, backbone: Backbone, device: Device) -> None:
    """Print how near a size comes to what the device can do."""
    model = random_model(dims, backbone, device.name)
    language = [*model.model.language_model.layers.parameters(), *model.lm_head.parameters()]
    weights = sum(each.numel() for each in language)
    tower = sum(each.numel() for each in model.model.vision_tower.parameters())
    engine = AsyncEngine(lambda: model, EngineLimits(max(AT_ONCE)), normalize_on_device)
    first = prompt(model, 1, 0)
    patches = len(first.tiles) * (4 * model.config.image_seq_length + 1)
    limit = 2 * (tower * patches + weights * len(first.ids)) / device.arithmetic
    seconds(engine, [prompt(model, 1, 1)], 2)
    found = min(seconds(engine, [prompt(model, 1, 2 + run)], 1) for run in range(RUNS))
    print(f"{dims}: first token of 1080p {found:.3f} s, {found / limit:.1f} times the arithmetic")
    once = 2 * weights / device.bandwidth
    alone = 0.0
    for count in AT_ONCE:
        asked = [[prompt(model, 0, 100 * run + one) for one in range(count)] for run in (1, 2)]
        read = seconds(engine, asked[0], 1)
        rate = count * TOKENS / (seconds(engine, asked[1], TOKENS + 1) - read)
        alone = alone or rate
        print(
            f"{dims}: {count} at once {rate:.0f} tokens/s, {rate / alone:.1f} times one, "
            f"{rate / count * once:.2f} of the limit of the bandwidth"
        )
    engine.stop()
    if device.name == "cuda":
        peak = torch.cuda.max_memory_allocated() / sum(p.nbytes for p in model.parameters())
        print(f"{dims}: memory at its peak {peak:.2f} times the weights")
        torch.cuda.reset_peak_memory_stats()


def main() -> int:
    if not torch.cuda.is_available():
        print("there is no CUDA device to measure", file=sys.stderr)
        return 1
    device = Device.measure("cuda")
    print(
        f"{torch.cuda.get_device_name()}: copies {device.bandwidth / 1e9:.0f} GB/s, "
        f"{device.arithmetic / 1e12:.0f} Tflop/s in bfloat16"
    )
    for dims, backbone in SIZES.items():
        measure(dims, backbone, device)
        torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
