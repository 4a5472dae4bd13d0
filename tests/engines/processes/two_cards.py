"""`python -m tests.engines.processes.two_cards CHECKPOINT WORKERS`: a model shared by two cards.

The host starts a process for each card and drives vLLM's workers in them by its own executor, on
one worker or on two. There are no cards here: the loader is told of them, and vLLM's workers
compute on the CPU; all else is the host's and vLLM's own. Prints how the cards share the model, and
what it answers about a picture.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import xoscar

from tests.shapes.chats import make_messages
from tests.shapes.showcase import SHOWCASE
from tests.support.host import find_free_port

CARDS = 2
SECONDS = 400
ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": "|".join(map(str, range(CARDS))),
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
SPEC = {"model_format": "pytorch", "model_size_in_billions": 1, "quantization": "none"}
OPTIONS = {"dtype": "float32", "max_model_len": 1024, "max_num_seqs": 4}
# vLLM's CPU build makes what the stages of a pipeline hand over only when it warms up to compile.
HOW: dict[int, dict[str, Any]] = {
    1: {"enforce_eager": True},
    2: {"compilation_config": {"backend": "eager"}, "skip_mm_profiling": True},
}


async def answers(checkpoint: str, workers: int) -> dict[str, Any]:
    pool = await xoscar.create_actor_pool(f"127.0.0.1:{find_free_port()}", n_process=0)
    # As the host's worker does for each card.
    cards = [await pool.append_sub_pool() for _ in range(CARDS)]
    model = create_model(checkpoint, workers)
    model.set_loop(asyncio.get_running_loop())
    each = CARDS // workers
    model.set_pool_addresses(cards[:each])
    await asyncio.to_thread(model.load)
    for shard in range(1, workers):
        model.set_worker_addresses(shard, cards[shard * each : (shard + 1) * each])
    await asyncio.to_thread(model.wait_for_load)
    parallel = model._engine.vllm_config.parallel_config
    found = {
        "tensor": parallel.tensor_parallel_size,
        "pipeline": parallel.pipeline_parallel_size,
        "text": await ask(model),
    }
    model.stop()
    await pool.stop()
    return found


async def ask(model: Any) -> str:
    exhibit = SHOWCASE[0]
    asked = list(make_messages(exhibit.sample, exhibit.question, exhibit.make_urls()))
    answer = await model.async_chat(asked, {"max_tokens": 32, "temperature": 0})
    return str(answer["choices"][0]["message"]["content"])


def create_model(checkpoint: str, workers: int) -> Any:
    from xinference.model.llm.core import create_llm_model_instance
    from xinference.model.llm.vllm.core import VLLMModel

    VLLMModel._get_cuda_count = lambda _: CARDS // workers
    return create_llm_model_instance(
        "uid",
        "internvl2",
        "vLLM",
        model_path=checkpoint,
        address="127.0.0.1",
        n_worker=workers,
        **SPEC,
        **OPTIONS,
        **HOW[workers],
    )


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    found = asyncio.run(asyncio.wait_for(answers(sys.argv[1], int(sys.argv[2])), SECONDS))
    print("answers:" + json.dumps(found), flush=True)
    os._exit(0)  # threads of vLLM's and of the host's would wait for each other
