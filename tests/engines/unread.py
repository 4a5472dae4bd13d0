"""`python -m tests.engines.unread CHECKPOINT`: what is written of an answer that nobody reads.

Prints how many tokens there were of it when another request had its answer, and how many there were
after it had been read to its end. A process of its own, since it imports the host.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

TOKENS = 300


async def unread(checkpoint: str) -> list[int]:
    from xinference.model.llm.core import create_llm_model_instance

    from xinference_internvl2.transformers import model as loader

    spec: dict[str, Any] = {
        "model_engine": "Transformers",
        "model_format": "pytorch",
        "model_size_in_billions": 1,
        "quantization": "none",
    }
    model = create_llm_model_instance("uid", "internvl2", model_path=checkpoint, **spec)
    model.load()
    generate_tokens, written = loader.generate_tokens, 0

    def counted(*args: Any) -> Iterator[Any]:
        nonlocal written
        for token in generate_tokens(*args):
            written += args[3].max_tokens == TOKENS
            yield token

    loader.generate_tokens = counted  # type: ignore[assignment]
    messages = [{"role": "user", "content": "Describe the weather."}]
    stream = await model.chat(messages, {"stream": True, "max_tokens": TOKENS, "temperature": 0})
    chunks = aiter(stream)
    while not written:
        await anext(chunks)
    await model.chat(messages, {"max_tokens": 4})
    before = written
    async for _ in chunks:
        pass
    model.stop()
    return [before, written]


if __name__ == "__main__":
    print("written:" + json.dumps(asyncio.run(unread(sys.argv[1]))))
