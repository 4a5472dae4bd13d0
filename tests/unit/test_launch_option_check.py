"""What a launch may say on each engine, and the sentence for what it may not."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.launch_option_check import LaunchOptions
from xinference_internvl2.transformers.launch_options import OPTIONS as TRANSFORMERS
from xinference_internvl2.transformers.launch_options import check_workers
from xinference_internvl2.vllm.launch_options import options

NEEDS_VLLM = pytest.mark.skipif(not importlib.util.find_spec("vllm"), reason="needs vLLM")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"device": "cpu", "torch_dtype": "float32", "max_num_seqs": 4, "num_frames": 3},
        {"trust_remote_code": True, "revision": "main", "gptq_wbits": 16, "cpu_offload": False},
        {"tensor_parallel_size": None, "_of_the_host": 3},
        {"kv_cache_memory": 512, "prefix_cache_memory": 0, "media_memory": 64},
    ],
)
def test_transformers_takes(given: dict[str, Any]) -> None:
    TRANSFORMERS.check(given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"tensor_parallel_size": 2},
            "the Transformers engine has no option tensor_parallel_size; it spreads a model over"
            " the cards of --n-gpu by itself",
        ),
        ({"device_map": "auto"}, "has no option device_map; use --device"),
        ({"cpu_offload": True}, "has no option cpu_offload; launch a quantized model"),
        ({"max_model_len": 4096}, "has no option max_model_len; use --context_length"),
        ({"kv_cache_dtype": "fp8"}, "has no option kv_cache_dtype; its KV cache has the type"),
        ({"gptq_wbits": 4}, "gptq_wbits 4 changes nothing for this model; leave it out"),
        ({"max_num_seq": 4}, "has no option max_num_seq; did you mean max_num_seqs?"),
        ({"invented": 0}, "has no option invented; leave it out"),
    ],
)
def test_transformers_refuses(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        TRANSFORMERS.check(given)


@NEEDS_VLLM
def test_vllm_takes_its_own_options() -> None:
    options().check({"tensor_parallel_size": 1, "kv_cache_dtype": "auto", "enforce_eager": True})
    options().check({"max_dynamic_patch": 6, "reasoning_content": False})


@NEEDS_VLLM
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"invented": 1}, "the vLLM engine has no option invented; leave it out"),
        ({"max_model_length": 1}, "has no option max_model_length; did you mean max_model_len?"),
        ({"torch_dtype": "float32"}, "has no option torch_dtype; use --dtype"),
        ({"reasoning_content": True}, "reasoning_content True changes nothing"),
    ],
)
def test_vllm_refuses(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        options().check(given)


def test_an_option_of_two_columns_is_honoured() -> None:
    table = LaunchOptions("E", honoured={"a"}, neutral={"a": (1,)})
    table.check({"a": 2})


def test_transformers_takes_one_worker() -> None:
    check_workers({})
    check_workers({"n_worker": 1})
    with pytest.raises(CheckpointError, match="serves a model on one worker; launch without"):
        check_workers({"n_worker": 2})
