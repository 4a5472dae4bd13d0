"""`python -m tests.engines.vllm_answers CHECKPOINT < REQUESTS`: greedy tokens of plain vLLM.

A request is {"ids": […], "images": number of pictures}; the answer has the prompt that vLLM made
of it, its tokens and their logprobs. A process of its own, since vLLM spawns others from it.
"""

from __future__ import annotations

import json
import sys

TOKENS = 32


def main() -> None:
    from vllm import LLM, SamplingParams

    from tests.demo import picture
    from xinference_internvl2.config import read_config

    checkpoint = sys.argv[1]
    llm = LLM(
        checkpoint,
        dtype="float32",
        max_model_len=2048,
        max_num_seqs=4,
        enforce_eager=True,
        gpu_memory_utilization=0.1,
        limit_mm_per_prompt={"image": 3},
        disable_sliding_window=read_config(checkpoint).llm["sliding_window"] is not None,
    )
    options = SamplingParams(max_tokens=TOKENS, temperature=0, ignore_eos=True, logprobs=1)
    answers = []
    for request in json.load(sys.stdin):
        prompt = {"prompt_token_ids": request["ids"]}
        if request["images"]:
            prompt["multi_modal_data"] = {"image": [picture()] * request["images"]}
        (output,) = llm.generate(prompt, options, use_tqdm=False)
        tokens = list(output.outputs[0].token_ids)
        steps = zip(tokens, output.outputs[0].logprobs, strict=True)
        answers.append(
            {
                "prompt": list(output.prompt_token_ids),
                "tokens": tokens,
                "logprobs": [step[token].logprob for token, step in steps],
            }
        )
    print("answers:" + json.dumps(answers))


if __name__ == "__main__":
    main()
