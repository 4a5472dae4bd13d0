"""`python -m tests.engines.processes.unread_answers CHECKPOINT`: what Transformers computes.

Prints of an answer that nobody reads how many tokens there were when other requests had their
answers, and how many after it had been read to its end; of requests with the same prompt and
some `cache_salt` each, how many tokens were left to read; and what is said of more answers than the
launch allows. A process of its own, since it imports the host.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any

TOKENS = 300
ANSWERS, SHORT = 3, 100
AT_ONCE = 2
SALTS = ("mine", "mine", "yours", None)


async def steps(checkpoint: str) -> dict[str, Any]:
    from xinference.model.llm.core import create_llm_model_instance

    from xinference_internvl2.errors import RequestError
    from xinference_internvl2.transformers.engine.model_runner import ModelRunner
    from xinference_internvl2.transformers.engine.sequence import Sequence

    spec: dict[str, Any] = {
        "model_engine": "Transformers",
        "model_format": "pytorch",
        "model_size_in_billions": 1,
        "quantization": "none",
        "max_num_seqs": AT_ONCE,
    }
    model = create_llm_model_instance("uid", "internvl2", model_path=checkpoint, **spec)
    model.load()
    prefill, decode = ModelRunner.prefill, ModelRunner.decode
    generated: Counter[Sequence] = Counter()
    left: list[int] = []

    def counted_prefill(self: ModelRunner, sequences: list[Sequence]) -> Any:
        left.extend(sequence.tokens - sequence.read for sequence in sequences)
        generated.update(sequences)
        return prefill(self, sequences)

    def counted_decode(self: ModelRunner, sequences: list[Sequence]) -> Any:
        generated.update(sequences)
        return decode(self, sequences)

    ModelRunner.prefill = counted_prefill  # type: ignore[method-assign]
    ModelRunner.decode = counted_decode  # type: ignore[method-assign]
    messages = [{"role": "user", "content": "Describe the weather."}]
    stream = await model.chat(messages, {"stream": True, "max_tokens": TOKENS, "temperature": 0})
    chunks = aiter(stream)
    while not generated:
        await anext(chunks)
    (answer,) = generated
    for _ in range(ANSWERS):
        await model.chat(messages, {"max_tokens": SHORT})
    before = generated[answer]
    async for _ in chunks:
        pass
    left.clear()
    for salt in SALTS:
        asked = [{"role": "user", "content": "Of what has nobody asked yet?"}]
        await model.chat(asked, {"max_tokens": 1, "cache_salt": salt})
    read_by_salt = [*left]
    several = {"max_tokens": 4, "temperature": 1.0}
    answered = await model.chat(messages, {**several, "n": AT_ONCE})
    try:
        await model.chat(messages, {**several, "n": AT_ONCE + 1})
    except RequestError as error:
        refusal = str(error)
    model.stop()
    return {
        "unread": [before, generated[answer]],
        "left": read_by_salt,
        "choices": len(answered["choices"]),
        "refusal": refusal,
    }


if __name__ == "__main__":
    print("steps:" + json.dumps(asyncio.run(steps(sys.argv[1]))))
