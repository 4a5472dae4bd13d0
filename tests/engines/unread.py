"""`python -m tests.engines.unread CHECKPOINT`: what is written of an answer that nobody reads.

Prints how many tokens there were of it when other requests had their answers, and how many there
were after it had been read to its end. A process of its own, since it imports the host.
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


async def unread(checkpoint: str) -> list[int]:
    from xinference.model.llm.core import create_llm_model_instance

    from xinference_internvl2.generation import Answer
    from xinference_internvl2.transformers import writer

    spec: dict[str, Any] = {
        "model_engine": "Transformers",
        "model_format": "pytorch",
        "model_size_in_billions": 1,
        "quantization": "none",
    }
    model = create_llm_model_instance("uid", "internvl2", model_path=checkpoint, **spec)
    model.load()
    write, written = writer.write, Counter[Answer]()

    def counted(model: Any, answers: Sequence[Answer]) -> Any:
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
    model.stop()
    return [before, written[answer]]


if __name__ == "__main__":
    print("written:" + json.dumps(asyncio.run(unread(sys.argv[1]))))
