"""What needs a GPU: a checkpoint → model → engine → tokens, without Xinference and vLLM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.tiny import make_checkpoint

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(missing)


@pytest.fixture(autouse=True)
def float32_is_float32() -> Iterator[None]:
    """cuDNN rounds what a convolution reads to TF32 otherwise."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="session", params=["qwen2", "internlm2", "phi3", "llama", "qwen2-6b"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of every language model, and one with the large vision tower."""
    backbone, _, vit = request.param.partition("-")
    folder = tmp_path_factory.mktemp(request.param)
    return make_checkpoint(folder, backbone=backbone, vit=vit or "300m", dtype="float32")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("small"), backbone="internlm2", dtype="float32")
