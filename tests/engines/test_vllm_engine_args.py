"""vLLM's engine arguments: what the loader chooses, and that a user's own choice wins."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.tiny import make_checkpoint, shorten_context
from xinference_internvl2.media.limits import MAX_FRAMES, MAX_IMAGES, MAX_VIDEOS

from .conftest import needs_vllm, printed

pytestmark = [
    pytest.mark.host,
    needs_vllm,
]
SHORT = 512
RESERVED = "VLLM_CPU_NUM_OF_RESERVED_CPU"
DEFAULTS = {
    "dtype": "torch.float32",
    "max_model_len": 32768,
    "images": MAX_IMAGES + MAX_VIDEOS * MAX_FRAMES,
    "max_dynamic_patch": None,
    "tensor_parallel_size": 1,
    "max_num_seqs": 256,
    "sliding_window": None,
    "enforce_eager": False,
    "reserved_cores": "0",
}
CHOSEN = {
    "dtype": "torch.float16",
    "max_model_len": 2048,
    "images": 3 + 1 * MAX_FRAMES,
    "max_dynamic_patch": 6,
    "tensor_parallel_size": 2,
    "gpu_memory_utilization": 0.3,
    "max_num_seqs": 5,
    "sliding_window": None,
    "enforce_eager": True,
    "reserved_cores": "1",
}
NO_OPTIONS = ("images", "reserved_cores", "sliding_window")
OPTIONS = {
    **{name: value for name, value in CHOSEN.items() if name not in NO_OPTIONS},
    "dtype": "float16",
    "max_model_len": None,
    "context_length": CHOSEN["max_model_len"],
    "num_frames": 4,
    "limit_mm_per_prompt": '{"image": 3, "video": 1}',
    "trust_remote_code": True,
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("checkpoints")
    made = {
        backbone: make_checkpoint(folder / backbone, backbone=backbone)
        for backbone in ("qwen2", "phi3", "internlm2")
    }
    shorten_context(made["internlm2"], SHORT)
    return {backbone: str(path) for backbone, path in made.items()}


@pytest.fixture(scope="module")
def found(checkpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """vLLM's configurations: three without any option, and one with a user's choice."""
    requests = [
        {"checkpoint": checkpoints["qwen2"], "options": {}, "environment": {}},
        {"checkpoint": checkpoints["phi3"], "options": {}, "environment": {}},
        {"checkpoint": checkpoints["phi3"], "options": OPTIONS, "environment": {RESERVED: "1"}},
        {"checkpoint": checkpoints["internlm2"], "options": {}, "environment": {}},
    ]
    environment = {
        "XINFERENCE_HOME": str(tmp_path_factory.mktemp("home")),
        "HF_HUB_OFFLINE": "1",
        # Without bfloat16, whatever this CPU has.
        "DNNL_MAX_CPU_ISA": "AVX2",
    }
    command = [sys.executable, "-m", "tests.engines.processes.vllm_engine_args"]
    configurations: list[dict[str, Any]] = printed(
        command, "configurations:", environment, json.dumps(requests)
    )
    return configurations


def test_the_plugin_chooses_what_the_user_leaves_open(found: list[dict[str, Any]]) -> None:
    qwen2, phi3, _, stretched = found
    assert {name: qwen2[name] for name in DEFAULTS} == DEFAULTS
    # vLLM's attention kernel for CPUs fails on Phi-3's window, which is wider than the context.
    assert {name: phi3[name] for name in DEFAULTS} == DEFAULTS
    assert 0 < qwen2["gpu_memory_utilization"] <= 0.7
    # vLLM has no positions beyond these, though the checkpoint stretches them.
    assert stretched["max_model_len"] == SHORT


def test_the_users_choice_wins(found: list[dict[str, Any]]) -> None:
    assert {name: found[2][name] for name in CHOSEN} == CHOSEN


def test_nobody_may_have_the_code_of_a_checkpoint_run(found: list[dict[str, Any]]) -> None:
    assert OPTIONS["trust_remote_code"] is True
    assert [item["trust_remote_code"] for item in found] == [False] * 4
