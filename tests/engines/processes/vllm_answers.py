"""`python -m tests.engines.processes.vllm_answers < JOBS`: greedy tokens of vLLM.

A job is {"checkpoint": directory, "dtype": …, "requests": […]}, a request {"ids": […],
"pictures": [PNG file in base64, …]}, perhaps with the "most" tokens of its answer. The answer has
the prompt that vLLM made of it, its tokens and their logprobs. So many "ranks" share a job's model,
each a process with a core of its own. A job with "lora_rank" may have requests with "adapter", a
folder that is named by its number. With "first": true it also has the logprobs of the whole
vocabulary at the first token, and how the linear layers were quantized. All engines of one rank are
in this process, one after the other, or each would start two more that import for half a minute.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64decode
from io import BytesIO
from typing import Any

TOKENS = 32


def engine(checkpoint: str, dtype: str, lora_rank: int = 0, ranks: int = 1) -> Any:
    if ranks > 1:
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "|".join(map(str, range(ranks)))
    from vllm import LLM

    return LLM(
        checkpoint,
        dtype=dtype,
        max_model_len=2048,
        max_num_seqs=4,
        enforce_eager=True,
        gpu_memory_utilization=0.1,
        tensor_parallel_size=ranks,
        distributed_executor_backend="mp" if ranks > 1 else "uni",
        max_logprobs=-1,
        limit_mm_per_prompt={"image": 3},
        **({"enable_lora": True, "max_loras": 2, "max_lora_rank": lora_rank} if lora_rank else {}),
    )


def answer(llm: Any, request: dict[str, Any]) -> dict[str, Any]:
    from PIL import Image
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest

    # By its importable name: vLLM's worker has another `__main__`.
    from tests.engines.processes.vllm_answers import linear_methods

    prompt = {"prompt_token_ids": request["ids"]}
    if request["pictures"]:
        files = [BytesIO(b64decode(picture)) for picture in request["pictures"]]
        prompt["multi_modal_data"] = {"image": [Image.open(file) for file in files]}
    adapter = None
    if folder := request.get("adapter"):
        number = 1 + int(os.path.basename(folder))
        adapter = LoRARequest(folder, number, folder)

    def generate(most: int, logprobs: int) -> Any:
        options = SamplingParams(
            max_tokens=most, temperature=0, ignore_eos=True, logprobs=logprobs, detokenize=False
        )
        (output,) = llm.generate(prompt, options, use_tqdm=False, lora_request=adapter)
        return output

    output = generate(request.get("most", TOKENS), 1)
    tokens, steps = list(output.outputs[0].token_ids), output.outputs[0].logprobs
    found = {
        "prompt": list(output.prompt_token_ids),
        "tokens": tokens,
        "logprobs": [step[token].logprob for token, step in zip(tokens, steps, strict=True)],
    }
    if request.get("first", False):
        (first,) = generate(1, -1).outputs[0].logprobs
        found["first"] = [first[token].logprob for token in range(len(first))]
        (found["methods"],) = llm.apply_model(linear_methods)
    return found


def linear_methods(model: Any) -> dict[str, list[str]]:
    """Part of the model → how vLLM computes its linear layers; runs in vLLM's worker."""
    methods: dict[str, set[str]] = {}
    for name, module in model.named_modules():
        if hasattr(module, "quant_method") and "Linear" in type(module).__name__:
            kind = type(module.quant_method).__name__
            methods.setdefault(name.split(".")[0], set()).add(kind)
    return {part: sorted(kinds) for part, kinds in methods.items()}


def answers(job: dict[str, Any]) -> list[dict[str, Any]]:
    from vllm.distributed import cleanup_dist_env_and_memory

    llm = engine(job["checkpoint"], job["dtype"], job.get("lora_rank", 0), job.get("ranks", 1))
    try:
        return [answer(llm, request) for request in job["requests"]]
    finally:
        llm.llm_engine.engine_core.shutdown()
        cleanup_dist_env_and_memory()


def main() -> None:
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    # So that `apply_model` may send a function to vLLM's worker.
    os.environ["VLLM_ALLOW_INSECURE_SERIALIZATION"] = "1"
    print("answers:" + json.dumps([answers(job) for job in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
