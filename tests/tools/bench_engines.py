"""The part of `make bench` that puts both engines side by side: in one server, measured in turn.

The checkpoint is random, but has the real dimensions of 1B.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
import psutil
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.support.host import Host
from tests.support.served import Served, data_uri, image_message, launch, wait_until_ready
from tests.tiny import make_checkpoint
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

RUNS = 3
TOKENS, TOKENS_AT_ONCE = 32, 16
DIMS = "1b"
AT_ONCE = (1, 4, 8)
READY_SECONDS = 900
AIM = "at least 1.0"
SAMPLE_SECONDS = 2.0
# What Transformers does before it is ready, in a process of its own that knows nothing of the host.
START = """
import sys
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.speed_up import speed_up
load_tokenizer(sys.argv[1])
speed_up(load_model(sys.argv[1], dtype=sys.argv[2]))
"""
DTYPE = "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"
FLAGS = {
    "Transformers": ("--torch_dtype", DTYPE),
    # vLLM takes the memory of its cache at once: here what eight long answers need, in GiB.
    "vLLM": ("--dtype", DTYPE, "--max_model_len", "8192", "--env", "VLLM_CPU_KVCACHE_SPACE", "1"),
}


class Memory(threading.Thread):
    """The peak memory of the processes that begin between its start and `settle()`, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._others = set(_children())
        self._own: set[psutil.Process] | None = None
        self._done = threading.Event()
        self._peak = 0
        self.start()

    def settle(self) -> None:
        self._own = set(_children()) - self._others

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            counted = set(_children()) - self._others if self._own is None else self._own
            self._peak = max(self._peak, sum(map(_memory, counted)))

    def stop(self) -> int:
        self._done.set()
        self.join()
        return self._peak


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _memory(process: psutil.Process) -> int:
    """Its own pages, and its share of those that it has in common with others."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


@dataclass
class Engine:
    """A launched model, the seconds until it was ready, and what was measured of it, run by run:
    seconds to the first token about a picture, and to that of another question about it, tokens
    per second after the first, and seconds for so many text requests at once."""

    model: Served
    memory: Memory
    start: float
    first_token: list[float] = field(default_factory=list)
    follow_up: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    at_once: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in AT_ONCE})

    def work(self, run: int) -> None:
        self.look(run)
        for count in AT_ONCE:
            self.talk(count)

    def look(self, run: int) -> None:
        """At a picture of its own for each run, since both remember what they have seen."""
        picture = data_uri(noise(run))
        first_token, decode = self.ask("?", picture)
        self.first_token.append(first_token)
        self.decode.append(decode)
        self.follow_up.append(self.ask("What else?", picture)[0])

    def ask(self, question: str, picture: str) -> tuple[float, float]:
        """Seconds to the first token of the answer, and tokens per second after it."""
        start, times, tokens = time.perf_counter(), [], 0
        for chunk in self.model.chat(
            image_message(question, picture),
            max_tokens=TOKENS,
            stream=True,
            stream_options={"include_usage": True},
        ):
            if chunk.choices and chunk.choices[0].delta.content:
                times.append(time.perf_counter())
            if chunk.usage:
                tokens = chunk.usage.completion_tokens
        return times[0] - start, (tokens - 1) / (times[-1] - times[0])

    def talk(self, count: int) -> None:
        """Answer `count` requests at once."""

        def ask(number: int) -> None:
            question = {"role": "user", "content": f"Tell me about {number}."}
            self.model.chat(question, max_tokens=TOKENS_AT_ONCE)

        start = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(ask, range(count)))
        self.at_once[count].append(time.perf_counter() - start)


def noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def talkative(checkpoint: Path) -> Path:
    """Let the random weights choose tokens that have a text, as time is told by the text."""
    known = len(load_tokenizer(checkpoint))
    file = checkpoint / "model.safetensors"
    weights = load_file(file)
    weights["language_model.lm_head.weight"][known:] = 0
    save_file(weights, file, {"format": "pt"})
    return checkpoint


def launched(host: Host, name: str, checkpoint: Path) -> Engine:
    memory, start = Memory(), time.perf_counter()
    done = launch(host, name, *FLAGS[name], model_engine=name, model_path=str(checkpoint))
    if done.returncode:
        raise RuntimeError(f"{done.stderr}\n{host.log.read_text()[-3000:]}")
    model = wait_until_ready(Served(host, name, checkpoint), READY_SECONDS)
    memory.settle()
    return Engine(model, memory, time.perf_counter() - start)


def path() -> str:
    """What this machine computes with: its type, its instructions, its cores."""
    widest = torch.backends.cpu.get_cpu_capability()
    instructions = "AMX" if torch.cpu._is_amx_tile_supported() else widest
    return f"{DTYPE} with {instructions} on {torch.get_num_threads()} cores"


def start_alone(checkpoint: Path) -> float:
    """Seconds that a process of its own takes from its start to a model that is ready."""
    start = time.perf_counter()
    command = [sys.executable, "-c", START, str(checkpoint), DTYPE]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def engines(work: Path) -> None:
    """Measure both engines and print their ratios."""
    checkpoint = talkative(make_checkpoint(work / "checkpoint", backbone="qwen2", dims=DIMS))
    with Host(work / "host") as host:
        ours, vllm = (launched(host, name, checkpoint) for name in FLAGS)
        # In turn, so that the machine's drift meets both. The first run warms up, and shows how
        # much memory it takes: reading that slows the engines down.
        ours.work(0)
        vllm.work(0)
        memory = [engine.memory.stop() / 1e9 for engine in (ours, vllm)]
        for run in range(1, RUNS + 1):
            ours.work(run)
            vllm.work(run)
    print(f"Transformers / vLLM, a random 1B in {path()}:")
    compare("launch to ready", [0, ours.start], [0, vllm.start], "s")
    print(f"    start of Transformers without Xinference: {start_alone(checkpoint):.2f} s")
    picture = "first token of 1920 × 1080"
    compare(picture, ours.first_token, vllm.first_token, "s", AIM)
    compare("another question about it", ours.follow_up, vllm.follow_up, "s", AIM)
    compare("decode", ours.decode, vllm.decode, "tokens/s", AIM)
    for count in AT_ONCE:
        compare(f"{count} at once", ours.at_once[count], vllm.at_once[count], "s", AIM)
    share = memory[0] / memory[1]
    print(
        f"    peak memory: {memory[0]:.2f} / {memory[1]:.2f} GB, "
        f"{share:.2f} of it (aim: at most 0.5)"
    )


def compare(
    what: str,
    ours: list[float],
    vllm: list[float],
    unit: Literal["s", "tokens/s"],
    aim: str = "",
) -> None:
    """Print the medians without the first run, and how fast ours is, as a multiple of vLLM."""
    first, second = median(ours[1:]), median(vllm[1:])
    speed = second / first if unit == "s" else first / second
    aimed = f" (aim: {aim})" if aim else ""
    print(f"    {what}: {first:.2f} / {second:.2f} {unit}, {speed:.2f} times as fast{aimed}")
