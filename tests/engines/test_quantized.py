"""AWQ checkpoints on vLLM, found out by vLLM itself, against the weights that they stand for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import dequantize_awq, make_checkpoint, quantize_awq
from tests.tiny.awq import move_settings_to_top
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.vllm.cpu import explain_missing_awq_kernel

from .conftest import needs_vllm
from .processes.vllm_answers import TOKENS
from .test_parity import PNG, of_vllm, prompt_ids, tiles_of

pytestmark = [
    pytest.mark.e2e,
    needs_vllm,
]
LEAST_COSINE = 0.9999
# What float16 makes of logprobs that reach to about -20: a token may differ from the twin's
# only where the twin holds both for as likely as that.
NOISE = 0.02


def made(folder: Path, backbone: Any) -> Path:
    source = make_checkpoint(
        folder / "source",
        backbone=backbone,
        dtype="float16",
        seed=1,
        hidden=256,
        intermediate=512,
        heads=8,
    )
    return quantize_awq(source, folder / "awq")


@pytest.fixture(scope="session")
def no_kernel() -> str:
    """Why vLLM cannot compute AWQ on this machine; empty if it can."""
    return explain_missing_awq_kernel() or ""


@pytest.mark.parametrize("backbone", ["internlm2", "qwen2"])
def test_vllm_answers_as_the_dequantized_weights(
    tmp_path: Path, backbone: str, no_kernel: str
) -> None:
    """In float16, as published, against our own model in float32; the settings in both places."""
    from xinference_internvl2.vllm.placeholders import insert_placeholders

    if no_kernel:
        pytest.skip(no_kernel)
    path = made(tmp_path, backbone)
    twin = load_model(dequantize_awq(path, tmp_path / "twin"), dtype="float32")
    if backbone == "qwen2":
        move_settings_to_top(path)
    config, own = read_config(path), load_tokenizer(path)
    prompts = {images: prompt_ids(config, own, images) for images in (0, 1)}
    requests = [
        {"ids": insert_placeholders(ids, own), "pictures": [PNG] * images, "first": True}
        for images, ids in prompts.items()
    ]
    for (images, ids), answer in zip(
        prompts.items(), of_vllm(path, requests, "float16"), strict=True
    ):
        assert answer["prompt"] == ids
        assert all("AWQ" in method for method in answer["methods"].pop("language_model"))
        assert answer["methods"] == {"vision_model": ["UnquantizedLinearMethod"]}
        pixels = torch.cat(tiles_of(config, images)) if images else None
        compare(twin, ids, pixels, answer)


def compare(twin: Any, ids: list[int], pixels: torch.Tensor | None, answer: dict[str, Any]) -> None:
    """Hold vLLM's answer against what the twin says of every one of its tokens."""
    tokens = torch.tensor(answer["tokens"])
    with torch.inference_mode():
        whole = torch.tensor([ids + answer["tokens"]])
        logits = twin(input_ids=whole, pixel_values=pixels).logits[0, len(ids) - 1 : -1]
    logprobs = logits.log_softmax(-1)
    ours = logprobs[torch.arange(TOKENS), tokens]
    assert (ours - torch.tensor(answer["logprobs"])).abs().max() < NOISE
    assert (logprobs.amax(-1) - ours).max() < NOISE
    # Without the offset that all logprobs share, and that would hide a difference.
    theirs = torch.tensor(answer["first"])
    assert len(theirs) == logits.shape[-1]
    similarity = torch.cosine_similarity(theirs - theirs.mean(), logits[0] - logits[0].mean(), 0)
    assert similarity >= LEAST_COSINE


KERNEL = """
import sys, torch
torch.cpu._is_avx512_supported = lambda: sys.argv[1] == "with"
from vllm import _custom_ops
from xinference_internvl2.vllm.cpu import explain_missing_awq_kernel
print("computes:", hasattr(torch.ops._C, "cpu_gemm_wna16"), explain_missing_awq_kernel() is None)
"""


@pytest.mark.parametrize("avx512", ["with", "without"])
def test_the_processor_tells_whether_vllm_has_the_kernel(avx512: str, no_kernel: str) -> None:
    """Without loading vLLM's kernels, which this does to see; both libraries of them are here."""
    if no_kernel and avx512 == "with":
        pytest.skip(no_kernel)
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, avx512],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    expected = str(avx512 == "with")
    assert f"computes: {expected} {expected}" in done.stdout, done.stderr
