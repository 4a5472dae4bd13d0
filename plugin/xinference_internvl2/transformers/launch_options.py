"""The options of a launch on the Transformers engine: which it has, and what its own ones say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..chat.prompt_launch_options import PROMPT_OPTIONS
from ..checkpoint.config import CheckpointConfig
from ..checkpoint.rope import MAX_POSITIONS, trained_length
from ..errors import CheckpointError
from ..launch_option_check import ANY, LaunchOptions
from ..media.media_launch_options import LAUNCH_OPTIONS
from .engine.engine_limits import EngineLimits

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
        "gpu_memory_utilization": "use --kv_cache_memory",
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


def read_engine_limits(options: Mapping[str, Any]) -> EngineLimits:
    """Return the limits that a launch sets, which gives memory in MB.

    Raises:
        CheckpointError: one of them is no whole number, or too small.
    """
    sequences = _read_number(options, "max_num_seqs", 1)
    caches = [_read_number(options, name, 0) for name in ("kv_cache_memory", "prefix_cache_memory")]
    in_use, kept = (None if megabytes is None else megabytes << 20 for megabytes in caches)
    return EngineLimits(16 if sequences is None else sequences, in_use, kept)


def read_context_length(
    options: Mapping[str, Any], checkpoint: CheckpointConfig, trained: int
) -> int:
    """Return the most tokens that prompt and answer have together.

    Args:
        trained: the length that the checkpoint was trained on, for a launch that names none.

    Raises:
        CheckpointError: it is no whole number, or more than the checkpoint has positions for.
    """
    length = _read_number(options, "context_length", 1)
    if length is None:
        return trained
    most = trained_length(checkpoint.llm, MAX_POSITIONS)
    if length > most:
        raise CheckpointError(
            f"context_length {length} is more than the {most} tokens that the checkpoint has "
            f"positions for; use {most} or less"
        )
    return length


def _read_number(options: Mapping[str, Any], name: str, least: int) -> int | None:
    number = options.get(name)
    if number is None:
        return None
    if type(number) is not int or number < least:
        raise CheckpointError(
            f"{name} {number!r:.40} is too small or no whole number; use {least} or more"
        )
    return number
