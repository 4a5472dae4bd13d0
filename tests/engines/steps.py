"""`python -m tests.engines.steps CHECKPOINT`: what the Transformers loader writes and reads.

Prints of an answer that nobody reads how many tokens there were when other requests had their
answers, and how many after it had been read to its end; and of requests with the same prompt and
some `cache_salt` each, how many tokens were left to read; and what is said of more answers than the
launch allows. A process of its own, since it imports
the host.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

TOKENS = 300
ANSWERS, SHORT = 3, 100
AT_ONCE = 2
SALTS = ("mine", "mine", "yours", None)


async def steps(checkpoint: str) -> dict[str, Any]:
    from xinference.model.llm.core import create_llm_model_instance

    from xinference_internvl2.errors import RequestError
    from xinference_internvl2.transformers.engine import scheduler as writer
    from xinference_internvl2.transformers.engine.generation import Answer

    spec: dict[str, Any] = {
        "model_engine": "Transformers",
        "model_format": "pytorch",
        "model_size_in_billions": 1,
        "quantization": "none",
        "max_num_seqs": AT_ONCE,
    }
    model = create_llm_model_instance("uid", "internvl2", model_path=checkpoint, **spec)
    model.load()
    write, written = writer.write, Counter[Answer]()
    left: list[int] = []

    def counted(model: Any, answers: Sequence[Answer]) -> Any:
        left.extend(a.context.tokens - a.context.read for a in answers if a not in written)
        written.update(answers)
        return write(model, answers)

    writer.write = counted  # type: ignore[assignment]
    messages = [{"role": "user", "content": "Describe the weather."}]
    stream = await model.chat(messages, {"stream": True, "max_tokens": TOKENS, "temperature": 0})
    chunks = aiter(stream)
    while not written:
        await anext(chunks)
    (answer,) = written
    for _ in range(ANSWERS):
        await model.chat(messages, {"max_tokens": SHORT})
    before = written[answer]
    async for _ in chunks:
        pass
    left.clear()
    for salt in SALTS:
        await model.chat(messages, {"max_tokens": 1, "cache_salt": salt})
    read_by_salt = [*left]
    several = {"max_tokens": 4, "temperature": 1.0}
    answered = await model.chat(messages, {**several, "n": AT_ONCE})
    try:
        await model.chat(messages, {**several, "n": AT_ONCE + 1})
    except RequestError as error:
        refusal = str(error)
    model.stop()
    return {
        "unread": [before, written[answer]],
        "left": read_by_salt,
        "choices": len(answered["choices"]),
        "refusal": refusal,
    }


if __name__ == "__main__":
    print("steps:" + json.dumps(asyncio.run(steps(sys.argv[1]))))
