"""The part of `make bench` that puts both engines side by side, through a real server each.

The checkpoint is random, but has the real dimensions of 1B; every ratio is Transformers / vLLM.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from PIL import Image

from .e2e.conftest import Served, data_uri, image_message, launch, wait_until_ready
from .host import Host
from .tiny import make_checkpoint

RUNS = 3
TOKENS = 32
AT_ONCE = (1, 4, 8)
FLAGS = {
    "Transformers": ("--torch_dtype", "float32"),
    "vLLM": ("--dtype", "float32", "--max_model_len", "8192"),
}


@dataclass(frozen=True)
class Figures:
    """Seconds to the first token of a 1920 × 1080 picture, tokens per second after it, seconds
    for so many text requests at once, and the most bytes that the model's processes had."""

    first_token: float
    decode: float
    at_once: dict[int, float]
    memory: int


class Memory(threading.Thread):
    """The peak of what the server's processes have more than before the launch."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._before = self._used()
        self._done = threading.Event()
        self.peak = 0

    @staticmethod
    def _used() -> int:
        used = 0
        for process in psutil.Process().children(recursive=True):
            try:
                used += process.memory_full_info().pss
            except psutil.Error:
                continue
        return used

    def run(self) -> None:
        while not self._done.wait(0.5):
            self.peak = max(self.peak, self._used() - self._before)

    def stop(self) -> int:
        self._done.set()
        self.join()
        return self.peak


def noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def streamed(model: Served, message: dict[str, Any]) -> tuple[float, float]:
    """Seconds to the first token, and tokens per second after it."""
    start = time.perf_counter()
    times = []
    stream = model.chat(
        message, max_tokens=TOKENS, stream=True, stream_options={"include_usage": 1}
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            times.append(time.perf_counter())
        if chunk.usage:
            count = chunk.usage.completion_tokens
    return times[0] - start, (count - 1) / (times[-1] - times[0])


def together(model: Served, count: int) -> float:
    """Seconds for `count` text requests at once."""

    def ask(number: int) -> None:
        model.chat({"role": "user", "content": f"Tell me about {number}."}, max_tokens=TOKENS)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def measure(host: Host, engine: str, checkpoint: Path) -> Figures:
    memory = Memory()
    memory.start()
    options = {"model_engine": engine, "model_path": str(checkpoint)}
    done = launch(host, engine.lower(), "--disable-virtual-env", *FLAGS[engine], **options)
    if done.returncode:
        raise RuntimeError(done.stderr)
    model = wait_until_ready(Served(host, engine.lower(), checkpoint))
    streamed(model, image_message("?", data_uri(noise(0), "PNG")))
    # A picture of its own each time, since vLLM remembers the ones it has seen.
    runs = [
        streamed(model, image_message("?", data_uri(noise(run), "PNG")))
        for run in range(1, RUNS + 1)
    ]
    at_once = {count: median(together(model, count) for _ in range(RUNS)) for count in AT_ONCE}
    host.cli("terminate", "--model-uid", model.uid)
    return Figures(
        median(run[0] for run in runs), median(run[1] for run in runs), at_once, memory.stop()
    )


def engines(work: Path) -> None:
    """Measure both engines, one after the other, and print their ratios."""
    checkpoint = make_checkpoint(work / "checkpoint", backbone="qwen2", dims="1b")
    # vLLM's CPU build leaves out hardware threads and reserves a core unless it is told not to.
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    environment = {"VLLM_CPU_OMP_THREADS_BIND": cores, "VLLM_CPU_NUM_OF_RESERVED_CPU": "0"}
    with Host(work / "host", **environment) as host:
        ours, vllm = (measure(host, engine, checkpoint) for engine in ("Transformers", "vLLM"))
    print("Transformers / vLLM, a random 1B in float32, through the server:")
    rows = [
        ("first token, 1920 × 1080 (s)", ours.first_token, vllm.first_token),
        ("decode (tokens/s)", ours.decode, vllm.decode),
        *((f"{n} at once (s)", ours.at_once[n], vllm.at_once[n]) for n in AT_ONCE),
        ("peak memory (GB)", ours.memory / 1e9, vllm.memory / 1e9),
    ]
    for name, first, second in rows:
        print(f"    {name}: {first:.2f} / {second:.2f} = {first / second:.2f}")
