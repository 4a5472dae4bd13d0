"""AWQ checkpoints on vLLM, found out by vLLM itself, against the weights that they stand for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.demo import picture
from tests.e2e.conftest import Served, data_uri, image_message, launch, wait_until_ready
from tests.host import Host
from tests.tiny import dequantized_twin, make_checkpoint, quantize_awq
from xinference_internvl2.checkpoint import load_model
from xinference_internvl2.config import read_config
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.quantization import check_awq_kernel
from xinference_internvl2.tokenizer import load_tokenizer

from .test_parity import of_vllm, prompt_ids, tiles_of
from .vllm_answers import TOKENS

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not importlib.util.find_spec("vllm"), reason="vLLM is not installed"),
]
LEAST_COSINE = 0.9999
# What float16 makes of logprobs that reach to about -20: a token may differ from the twin's
# only where the twin holds both for as likely as that.
NOISE = 0.02
LAUNCH = {
    "model_engine": "vLLM",
    "model_format": "awq",
    "quantization": "Int4",
    "size_in_billions": "2",
}


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
    try:
        check_awq_kernel()
    except CheckpointError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("backbone", ["internlm2", "qwen2"])
def test_vllm_answers_as_the_dequantized_weights(
    tmp_path: Path, backbone: str, no_kernel: str
) -> None:
    """In float16, as published, against our own model in float32."""
    from xinference_internvl2.vllm.model import with_placeholders

    if no_kernel:
        pytest.skip(no_kernel)
    path = made(tmp_path, backbone)
    config, own = read_config(path), load_tokenizer(path)
    prompts = {images: prompt_ids(config, own, images) for images in (0, 1)}
    requests = [
        {"ids": with_placeholders(ids, own), "images": images, "first": True}
        for images, ids in prompts.items()
    ]
    twin = load_model(dequantized_twin(path, tmp_path / "twin"), dtype="float32")
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


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(scope="module")
def awq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("internlm2"), "internlm2")


def test_a_server_answers_with_awq(host: Host, awq: Path, no_kernel: str) -> None:
    if no_kernel:
        pytest.skip(no_kernel)
    done = launch(host, "awq", "--disable-virtual-env", model_path=str(awq), **LAUNCH)
    assert done.returncode == 0, done.stderr
    model = wait_until_ready(Served(host, "awq", awq))
    tokens: dict[str, int] = {}
    for kind, message in {
        "text": {"role": "user", "content": "What is it?"},
        "image": image_message("What is it?", data_uri(picture())),
    }.items():
        answer = model.chat(message, temperature=0)
        assert answer.choices[0].message.content
        assert answer.usage.completion_tokens == 16 or answer.choices[0].finish_reason == "stop"
        tokens[kind] = answer.usage.prompt_tokens
    config = read_config(awq)
    assert tokens["image"] > tokens["text"] + config.tokens_per_tile
    assert "quantization=awq" in host.log.read_text()
    assert host.cli("terminate", "--model-uid", "awq").returncode == 0


def test_a_machine_without_the_kernel_refuses_awq(host: Host, awq: Path, no_kernel: str) -> None:
    """vLLM itself would start, and end at the first request."""
    if not no_kernel:
        pytest.skip("vLLM computes AWQ on this machine")
    done = launch(host, "awq", "--disable-virtual-env", model_path=str(awq), **LAUNCH)
    assert done.returncode != 0
    assert no_kernel in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("engine", "quantization"),
    [("Transformers", "4-bit"), ("vLLM", "none")],
)
def test_awq_is_launched_as_nothing_else(
    host: Host, awq: Path, engine: str, quantization: str
) -> None:
    named = {"model_engine": engine, "model_format": "pytorch", "quantization": quantization}
    options = {**LAUNCH, **named}
    done = launch(host, "wrong", "--disable-virtual-env", model_path=str(awq), **options)
    assert done.returncode != 0
    assert f"holds AWQ in 4 bit, but format pytorch with quantization {quantization}" in (
        " ".join(done.stderr.split())
    )


def test_nothing_else_is_launched_as_awq(host: Host, tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="internlm2")
    done = launch(host, "wrong", "--disable-virtual-env", model_path=str(path), **LAUNCH)
    assert done.returncode != 0
    assert "holds unquantized weights, but format awq with quantization Int4 was asked" in (
        " ".join(done.stderr.split())
    )
