"""`python -m tests.engines.processes.vllm_engine_args < REQUESTS`: what vLLM is configured with.

A request is {"checkpoint": directory, "options": those of a launch, "environment": what the server
has of its own}; the answer has what our loader makes of them, as vLLM's own configuration says it.
A process of its own, since vLLM leaves traces.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

RESERVED = "VLLM_CPU_NUM_OF_RESERVED_CPU"


def configured(
    checkpoint: str, options: dict[str, Any], environment: dict[str, str]
) -> dict[str, Any]:
    os.environ.pop(RESERVED, None)
    os.environ.update(environment)
    from vllm.engine.arg_utils import AsyncEngineArgs
    from xinference.model.llm.core import create_llm_model_instance

    spec: dict[str, Any] = {
        "model_engine": "vLLM",
        "model_format": "pytorch",
        "model_size_in_billions": 1,
        "quantization": "none",
    }
    model = create_llm_model_instance("uid", "internvl2", model_path=checkpoint, **spec, **options)
    # What `load()` does before it starts the engine.
    model._read_checkpoint()
    config = model._sanitize_model_config(model._model_config)
    del config["reasoning_content"]
    made = AsyncEngineArgs(model=checkpoint, **config).create_engine_config()
    limits = made.model_config.multimodal_config.limit_per_prompt
    processor = made.model_config.multimodal_config.mm_processor_kwargs or {}
    return {
        "reserved_cores": os.environ.get(RESERVED),
        "dtype": str(made.model_config.dtype),
        "max_model_len": made.model_config.max_model_len,
        "images": limits["image"].count,
        "max_dynamic_patch": processor.get("max_dynamic_patch"),
        "tensor_parallel_size": made.parallel_config.tensor_parallel_size,
        "gpu_memory_utilization": made.cache_config.gpu_memory_utilization,
        "max_num_seqs": made.scheduler_config.max_num_seqs,
        "sliding_window": made.model_config.get_sliding_window(),
        "enforce_eager": made.model_config.enforce_eager,
        "trust_remote_code": made.model_config.trust_remote_code,
    }


def main() -> None:
    found = [configured(**request) for request in json.load(sys.stdin)]
    print("configurations:" + json.dumps(found))


if __name__ == "__main__":
    main()
