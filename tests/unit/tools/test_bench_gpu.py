"""The benchmark of a GPU, on a CPU and with a small model: what it prints, not how fast it is."""

from __future__ import annotations

import pytest
import torch

from tests.tools import bench_gpu
from tests.tools.bench_gpu import Device


def test_each_size_is_a_share_of_what_the_device_could_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("TOKENS", 3), ("RUNS", 1), ("AT_ONCE", (1, 2))):
        monkeypatch.setattr(bench_gpu, name, value)
    device = Device.measure("cpu", side=64, size=1 << 20)
    assert device.bandwidth > 0
    assert device.arithmetic > 0
    bench_gpu.measure("tiny", "internlm2", device)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" of ")[0].split(" at once")[0] for line in lines] == [
        "tiny: first token",
        "tiny: 1",
        "tiny: 2",
    ]


def test_a_prompt_has_the_tiles_of_its_picture() -> None:
    model = bench_gpu.random_model("tiny", "qwen2", "cpu")
    assert all(bool(each.isfinite().all()) for each in model.parameters())
    asked = bench_gpu.prompt(model, 1, 0)
    assert asked.ids.count(model.config.image_token_id) == 16 * len(asked.tiles) == 16 * 9


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_gpu.main() == 1
    assert capsys.readouterr().err == "there is no CUDA device to measure\n"
