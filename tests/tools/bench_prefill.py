"""The part of `make bench` that reads a picture while an answer is being written, in chunks.

What one chunk is, in tokens and in tiles, weighs the pauses of that answer against the time to the
first token about the picture; every choice is measured in turn, in one process. The checkpoint is
random, with the widths of 1B and some of its layers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from tests.tiny import make_checkpoint
from xinference_internvl2.media.pixel_values import normalize
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine import model_runner, scheduler
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits
from xinference_internvl2.transformers.engine.sequence import Prompt
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.speed_up import speed_up

LAYERS, RUNS = 2, 2
TILES, PER_TILE, TEXT = 9, 256, 55
WHOLE = (1 << 20, 1 << 20)
"""Tokens and tiles of a chunk that is all of it."""
CHOICES = ((512, 1), (512, 2), (1024, 2))


@dataclass
class Times:
    """Seconds, run by run: of the longest chunk, to the first token about the picture, and of the
    longest pause of another answer meanwhile."""

    chunk: list[float] = field(default_factory=list)
    first_token: list[float] = field(default_factory=list)
    pause: list[float] = field(default_factory=list)


class Bench:
    def __init__(self, checkpoint: Path) -> None:
        self._chunks: list[float] = []
        self._seed = 0
        prefill = model_runner.ModelRunner.prefill

        def timed(runner: Any, sequences: Any) -> Any:
            start = time.perf_counter()
            found = prefill(runner, sequences)
            self._chunks.append(time.perf_counter() - start)
            return found

        model_runner.ModelRunner.prefill = timed  # type: ignore[method-assign]
        self.engine = AsyncEngine(partial(_load, checkpoint), EngineLimits(4), normalize)

    def _prompt(self, tiles: int) -> Prompt:
        """One that nobody has read before."""
        self._seed += 1
        rng = np.random.default_rng(self._seed)
        text = rng.integers(1_000, 50_000, TEXT).tolist()
        pixels = rng.integers(0, 256, (tiles, 3, 448, 448), dtype=np.uint8)
        image = [self.engine._image_token_id] * PER_TILE * tiles
        return Prompt([*image, *text], list(pixels), salt=str(self._seed))

    def _answer(self, tiles: int, tokens: int) -> AsyncGenerator[Any, None]:
        return self.engine.generate(self._prompt(tiles), SamplingParams(tokens), [])

    async def measure(self, times: Times) -> None:
        times.first_token.append(await self._look())
        times.chunk.append(max(self._chunks))
        written: list[float] = []
        writing = asyncio.create_task(self._write(written))
        while len(written) < 4:
            await asyncio.sleep(0.01)
        start = time.perf_counter()
        await self._look()
        end = time.perf_counter()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        during = [later - at for at, later in pairwise(written) if start <= later <= end]
        times.pause.append(max(during, default=end - start))

    async def _look(self) -> float:
        """Seconds to the first token about a picture."""
        self._chunks.clear()
        start = time.perf_counter()
        answer = self._answer(TILES, 1)
        await anext(answer)
        seconds = time.perf_counter() - start
        await answer.aclose()
        return seconds

    async def _write(self, written: list[float]) -> None:
        async for _ in self._answer(0, 4_000):
            written.append(time.perf_counter())


def _load(checkpoint: Path) -> Any:
    model = load_model(checkpoint)
    speed_up(model)
    return model


def prefill(work: Path) -> None:
    """Measure every choice and print it."""
    dtype = "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"
    path = make_checkpoint(
        work / "checkpoint",
        backbone="qwen2",
        dims="1b",
        layers=LAYERS,
        vit_layers=LAYERS,
        dtype=dtype,
    )
    bench, found = Bench(path), {choice: Times() for choice in (WHOLE, *CHOICES)}
    own = (scheduler.CHUNK, model_runner.TILES_AT_ONCE)

    async def measure_all() -> None:
        await bench.measure(Times())
        for _ in range(RUNS):
            for choice, times in found.items():
                scheduler.CHUNK, model_runner.TILES_AT_ONCE = choice
                await bench.measure(times)

    asyncio.run(measure_all())
    scheduler.CHUNK, model_runner.TILES_AT_ONCE = own
    whole = median(found[WHOLE].first_token)
    print(f"A picture of {TILES} tiles beside an answer, {LAYERS} layers of 1B in {dtype}:")
    for choice in CHOICES:
        times = found[choice]
        longer = median(times.first_token) / whole - 1
        pause, chunk = median(times.pause), median(times.chunk)
        print(
            f"    {choice[0]} tokens, {choice[1]} tiles a chunk: largest pause {pause:.3f} s, "
            f"{pause / chunk:.1f} chunks (aim: at most 4); "
            f"first token {longer:+.0%} (aim: at most +10%)"
            f"{' ← chosen' if choice == own else ''}"
        )
    bench.engine.stop()
