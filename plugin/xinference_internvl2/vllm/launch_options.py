"""The options of a launch on the vLLM engine: vLLM's own, and those of the loader."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from ..chat.launch_options import PROMPT_OPTIONS
from ..errors import CheckpointError
from ..launch_option_check import ANY, LaunchOptions
from ..media.launch_options import LAUNCH_OPTIONS

# The host reads them before it hands the rest to vLLM.
_OF_HOST = {"model_quantization", "draft_model_path", "num_speculative_tokens"}


@cache
def options() -> LaunchOptions:
    """Return the options of a launch, with those that the installed version of vLLM has."""
    from vllm.engine.arg_utils import AsyncEngineArgs

    own = {option.name for option in dataclasses.fields(AsyncEngineArgs)}
    return LaunchOptions(
        engine="vLLM",
        honoured=own | _OF_HOST | set(LAUNCH_OPTIONS) | set(PROMPT_OPTIONS),
        neutral={
            "reasoning_content": (False,),
            "enable_thinking": (False,),
            "multimodal_projector": ("",),
            "enable_virtual_env": ANY,
        },
        refused={
            "torch_dtype": "use --dtype",
            "context_length": "use --max_model_len",
            "device_map": "use --n-gpu and --tensor_parallel_size",
            "cpu_offload": "use --cpu_offload_gb",
            "quantization_config": "use the launch's own --quantization",
            "min_pixels": "use --max_dynamic_patch",
            "max_pixels": "use --max_dynamic_patch",
        },
    )


def choose_guidance(config: Any) -> dict[str, Any]:
    """Return `structured_outputs_config` of a launch with llguidance as its backend.

    It bounds its own time and memory, and the Transformers engine has it too.

    Raises:
        CheckpointError: it is no object, or names another backend.
    """
    try:
        given = json.loads(config) if isinstance(config, str) else config or {}
    except ValueError:
        given = None
    if not isinstance(given, Mapping):
        raise CheckpointError(f"structured_outputs_config {config!r:.80} is not a JSON object")
    if given.get("backend", "auto") not in ("auto", "guidance"):
        raise CheckpointError(
            f"structured_outputs_config: backend {given['backend']!r:.40} is not supported; leave "
            "it out, or use guidance"
        )
    return {**given, "backend": "guidance"}
