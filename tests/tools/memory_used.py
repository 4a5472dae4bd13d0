"""How much memory a checkpoint takes to answer: measured in a process of its own, on Linux.

Compared is what is resident at most while the answer is made with what the libraries alone have.
Three things are kept out of it: pages of files, which the system takes back when memory is short;
freed memory, which the allocator may keep for later; and what libraries keep of their first calls.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MADV_PAGEOUT = 21
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Used:
    """Bytes beyond the libraries, and of those what came only with the answer."""

    total: int
    answer: int


def measure(path: Path, quantization: str, tokens: int, tiles: int) -> Used:
    """Measure an answer of one token to a prompt of `tokens` with an image of `tiles`."""
    command = [sys.executable, "-m", "tests.tools.memory_used", path, quantization, tokens, tiles]
    # Memory that is freed goes back at once, where otherwise it might stay with the process.
    environment = {"MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONPATH": f"{ROOT / 'plugin'}:{ROOT}"}
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Used(**json.loads(done.stdout.splitlines()[-1]))


def _read_resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024


def _drop_pages(file: str) -> None:
    """Drop the pages of the mapped file; those that are used again are read again."""
    advise = ctypes.CDLL(None, use_errno=True).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(file):
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            advise(start, end - start, MADV_PAGEOUT)


def _make_quantization_config(quantization: str) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if quantization == "8-bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    if quantization == "4-bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    return None


def _answer(model: Any, checkpoint: Any, tokens: int, tiles: int) -> None:
    """Read a prompt of `tokens`, of `tiles` among them, and answer it with one token."""
    import numpy as np

    from tests.support.generate import prefill
    from xinference_internvl2.media.pixel_values import normalize_on_device
    from xinference_internvl2.sampling_params import SamplingParams
    from xinference_internvl2.transformers.engine.model_runner import ModelRunner
    from xinference_internvl2.transformers.engine.sequence import Prompt, Request

    image, size = model.config.image_token_id, checkpoint.tile_size
    seen = tiles * checkpoint.tokens_per_tile
    pixels = np.full((tiles, 3, size, size), 7, np.uint8)
    prompt = Prompt([image] * seen + [11] * (tokens - seen), [*pixels])
    request = Request(prompt, SamplingParams(1), (), image, model.device)
    prefill(ModelRunner(model, normalize_on_device), request.sequences[0])


def main(path: str, quantization: str, tokens: int, tiles: int) -> Used:
    from transformers import InternVLForConditionalGeneration  # noqa: F401

    from xinference_internvl2.checkpoint.config import read_config
    from xinference_internvl2.transformers.model.from_checkpoint import load_model
    from xinference_internvl2.transformers.model.speed_up import speed_up

    options = _make_quantization_config(quantization)
    libraries = _read_resident("VmRSS")
    model = load_model(path, quantization_config=options)
    speed_up(model)
    checkpoint = read_config(path)
    _answer(model, checkpoint, tokens, tiles)
    for parameter in model.parameters():
        if parameter.is_floating_point():  # of the file, where no layer has packed it
            parameter.data = parameter.data.clone()
    _drop_pages(".safetensors")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _read_resident("VmRSS")
    _answer(model, checkpoint, tokens, tiles)
    peak = _read_resident("VmHWM")
    return Used(peak - libraries, peak - before)


if __name__ == "__main__":
    used = main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps({"total": used.total, "answer": used.answer}))
