"""The options of a launch on the vLLM engine: vLLM's own, and those of the loader."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from ..chat.prompt_launch_options import PROMPT_OPTIONS
from ..errors import CheckpointError
from ..launch_option_check import ANY, LaunchOptions
from ..media.media_launch_options import LAUNCH_OPTIONS

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


def read_object(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the option `name` of vLLM as an object; a command line gives it as JSON text.

    Raises:
        CheckpointError: it is none.
    """
    given = options.get(name)
    try:
        found = json.loads(given) if isinstance(given, str) else given or {}
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{name} {given!r:.80} is not a JSON object")
    return {**found}
