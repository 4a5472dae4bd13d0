"""`doctor --ask`: loads a checkpoint without a server, and answers one question about a picture."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chat.chat_flow import answer
from ..chat.request import ChatRequest
from ..chat.served_checkpoint import ServedCheckpoint
from ..checkpoint.config import read_config
from ..checkpoint.rope import trained_length
from ..demo.files import CHECKPOINT
from ..errors import RequestError
from ..families.find_prompt_format import find_prompt_format
from ..media.media_launch_options import read_launch_limits
from ..tokenizer.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ..engine_outputs import Outputs

CONTEXT = 8192
GREEDY = {"max_tokens": 256, "temperature": 0}


def ask(path: Path | None, picture: Path, question: str) -> str:
    """Return the greedy answer of the checkpoint at `path`, or of the demo's if it is None.

    The code is that of a server on Transformers, without Xinference.

    Raises:
        CheckpointError: the checkpoint cannot be served.
        RequestError: the picture cannot be read.
    """
    served = _build_served((path or CHECKPOINT).expanduser())
    content = [
        {"type": "image_url", "image_url": {"url": _read_data_url(picture)}},
        {"type": "text", "text": question},
    ]
    messages = [{"role": "user", "content": content}]
    try:
        return asyncio.run(_answer(messages, served))
    except RequestError as error:
        place = "messages[0].content[0].image_url"
        raise RequestError(str(error).replace(place, str(picture))) from None


def _read_data_url(picture: Path) -> str:
    try:
        data = picture.expanduser().read_bytes()
    except OSError as error:
        raise RequestError(f"{picture}: {error.strerror}; give a picture on this machine") from None
    return f"data:image/any;base64,{base64.b64encode(data).decode()}"


def _build_served(path: Path) -> ServedCheckpoint:
    config = read_config(path)
    return ServedCheckpoint(
        config=config,
        tokenizer=load_tokenizer(path, config.llm["vocab_size"]),
        prompt_format=find_prompt_format(config.template),
        context_length=trained_length(config.llm, CONTEXT),
        limits=read_launch_limits({}, config),
        fetch=_refuse,
    )


def _refuse(url: str, deadline: float) -> bytes:
    raise RequestError(f"{url} is not fetched here; give a picture on this machine")


async def _answer(messages: list[dict[str, Any]], served: ServedCheckpoint) -> str:
    from ..media.pixel_values import normalize_on_device
    from ..transformers.engine.async_engine import AsyncEngine
    from ..transformers.engine.engine_limits import EngineLimits
    from ..transformers.engine.sequence import Prompt

    engine = AsyncEngine(lambda: _load_model(served), EngineLimits(1), normalize_on_device)

    async def generate(request: ChatRequest) -> Outputs:
        tiles = [tile for tiles in request.tiles for tile in tiles]
        return engine.generate(Prompt(request.ids, tiles), request.sampling, request.stop_ids)

    try:
        found: Any = await answer("doctor", messages, GREEDY, served, generate)
    finally:
        engine.stop()
    return str(found["choices"][0]["message"]["content"]).strip()


def _load_model(served: ServedCheckpoint) -> PreTrainedModel:
    import torch

    from ..transformers.model.dtype import choose_dtype
    from ..transformers.model.from_checkpoint import load_model
    from ..transformers.model.speed_up import speed_up

    # Not what the machine has: this torch may be built for a CPU alone.
    on_gpu = torch.cuda.is_available()
    own = getattr(torch, served.config.dtype)
    model = load_model(
        served.config.path,
        dtype=own if on_gpu else choose_dtype(own, "cpu", torch.float32),
        device_map="auto" if on_gpu else None,
    )
    speed_up(model)
    return model
