"""The options of a launch on the Transformers engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..chat.launch_options import PROMPT_OPTIONS
from ..errors import CheckpointError
from ..launch_option_check import ANY, LaunchOptions
from ..media.launch_options import LAUNCH_OPTIONS

OPTIONS = LaunchOptions(
    engine="Transformers",
    honoured={
        *("device", "torch_dtype", "quantization_config", "max_num_seqs", "context_length"),
        *("kv_cache_memory", "prefix_cache_memory"),
        *LAUNCH_OPTIONS,
        *PROMPT_OPTIONS,
    },
    neutral={
        # No code of a checkpoint runs, whatever is allowed.
        "trust_remote_code": ANY,
        "revision": ANY,
        "gptq_ckpt": (),
        "gptq_wbits": (16,),
        "gptq_groupsize": (-1,),
        "gptq_act_order": (False,),
        "enable_tensorizer": (False,),
        "reasoning_content": (False,),
        "enable_thinking": (False,),
        "cpu_offload": (False,),
        "multimodal_projector": ("",),
        "enable_virtual_env": ANY,
    },
    refused={
        "tensor_parallel_size": "it spreads a model over the cards of --n-gpu by itself",
        "pipeline_parallel_size": "it spreads a model over the cards of --n-gpu by itself",
        "device_map": "use --device, or --n-gpu for several cards",
        "cpu_offload": "launch a quantized model, or on --device cpu",
        "max_model_len": "use --context_length",
        "dtype": "use --torch_dtype",
        "kv_cache_dtype": "its KV cache has the type of the model",
        "gpu_memory_utilization": "use --max_num_seqs and --context_length",
        "quantization": "use the launch's own --quantization",
        "attn_implementation": "it chooses by itself",
    },
)


def check_workers(given: Mapping[str, Any]) -> None:
    """Refuse a launch on several workers.

    Raises:
        CheckpointError: the launch has more than one.
    """
    if given.get("n_worker", 1) > 1:
        raise CheckpointError(
            "the Transformers engine serves a model on one worker; launch without --n-worker, "
            "or on vLLM"
        )
